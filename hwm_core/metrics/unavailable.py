"""A metric that cannot be computed here: reports state the reason and the remedy in place of the number."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from hwm_core.errors import BadConfig, BadInput

T = TypeVar("T")


@dataclass(frozen=True)
class Unavailable:
    """Why there is no number, and what would help."""

    metric: str
    reason: str
    remedy: str

    def plain(self) -> dict[str, str]:
        """For a JSON report, in place of the number."""
        return {"unavailable": self.reason, "remedy": self.remedy}

    def __str__(self) -> str:
        return f"{self.metric} unavailable: {self.reason}. {self.remedy}"


def or_unavailable(metric: str, make: Callable[[], T]) -> T | Unavailable:
    """The result of `make`; if it raises BadInput, why `metric` is unavailable.

    Raises:
        BadConfig: as `make` raises it: a wrong argument does not make a metric unavailable.
    """
    try:
        return make()
    except BadConfig:
        raise
    except BadInput as error:
        return Unavailable(metric, f"{error.what}: expected {error.expected}, got {error.got}", error.remedy)
