"""A metric that cannot be computed here: reports state the reason and the remedy instead of the number."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from hwm_core.errors import BadConfig, BadInput

T = TypeVar("T")


@dataclass(frozen=True)
class Unavailable:
    """The reason why a metric has no number, and the remedy."""

    metric: str
    reason: str
    remedy: str

    def plain(self) -> dict[str, str]:
        """The entry in a JSON report, instead of the number."""
        return {"unavailable": self.reason, "remedy": self.remedy}

    def __str__(self) -> str:
        return f"{self.metric} unavailable: {self.reason}. {self.remedy}"


def or_unavailable(metric: str, make: Callable[[], T]) -> T | Unavailable:
    """The result of `make`; if it raises BadInput, the reason why `metric` is unavailable.

    Raises:
        BadConfig: raised by `make`; a wrong argument is an error, not an unavailable metric.
    """
    try:
        return make()
    except BadConfig:
        raise
    except BadInput as error:
        return Unavailable(metric, f"{error.what}: expected {error.expected}, got {error.got}", error.remedy)
