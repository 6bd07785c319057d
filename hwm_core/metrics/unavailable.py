"""A number that cannot be given here, with why and what would help: said in its place, never left out or replaced."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from hwm_core.errors import BadConfig, BadInput

T = TypeVar("T")


@dataclass(frozen=True)
class Unavailable:
    """Why there is no number."""

    metric: str
    reason: str
    remedy: str

    def plain(self) -> dict[str, str]:
        """For a JSON report, where the number would stand."""
        return {"unavailable": self.reason, "remedy": self.remedy}

    def __str__(self) -> str:
        return f"{self.metric} unavailable: {self.reason}. {self.remedy}"


def or_unavailable(metric: str, make: Callable[[], T]) -> T | Unavailable:
    """What `make` gives; where it raises BadInput, that `metric` is unavailable, and why. A BadConfig goes on up: what
    was asked for wrongly is not unavailable."""
    try:
        return make()
    except BadConfig:
        raise
    except BadInput as error:
        return Unavailable(metric, f"{error.what}: expected {error.expected}, got {error.got}", error.remedy)
