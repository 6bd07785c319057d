"""One result of verifying a data set."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Finding:
    """A fault makes data unusable. A note is worth knowing."""

    level: Literal["fault", "note"]
    where: str
    text: str
