"""Joint values over the frames of a recording."""

from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray


class JointSeries(Protocol):
    """A dataclass with joint values, for example an episode of frames or of tokens."""

    __dataclass_fields__: ClassVar[dict[str, Any]]  # so that `dataclasses.replace` accepts it

    @property
    def name(self) -> str: ...
    @property
    def names(self) -> tuple[str, ...]: ...  # A joints, the columns of states and commands
    @property
    def states(self) -> NDArray[np.float32] | None: ...  # [F, A]
    @property
    def commands(self) -> NDArray[np.float32] | None: ...  # [F, A]
