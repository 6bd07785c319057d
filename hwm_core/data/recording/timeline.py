"""The frames of a recording without their images."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwm_core.data.robot.joint_names import match_names


@dataclass(frozen=True)
class AlignedJoints:
    """Joint values of a recording; states and commands have the same columns."""

    name: str
    names: tuple[str, ...]
    states: NDArray[np.float32] | None  # [F, A]
    commands: NDArray[np.float32] | None  # [F, A]

    def select(self, names: Sequence[str], aliases: Mapping[str, str]) -> "AlignedJoints":
        """The same with these columns. Raises RobotMismatch where one is missing.

        Args:
            names: joints wanted, in this order.
            aliases: {name here: name wanted}.
        """
        own = [aliases.get(name, name) for name in self.names]
        columns = match_names(names, own, whose=f"recording {self.name}")
        states, commands = (None if one is None else one[:, columns] for one in (self.states, self.commands))
        return AlignedJoints(self.name, tuple(names), states, commands)


@dataclass(frozen=True)
class Timeline:
    """Times, segments and joint values of the F frames of a recording.

    `CommandTime` selects which command belongs to a frame.
    """

    name: str
    stamps_ns: NDArray[np.int64]  # [F] acquisition times; a held image gives equal stamps
    segments: NDArray[np.int32]  # [F] gaps, clock jumps, cuts and left-out frames start a new one
    clock_frames: NDArray[np.int64]  # [F] position on the frame clock; positions of left-out frames are missing
    state_names: tuple[str, ...]
    states: NDArray[np.float32] | None  # [F, A]
    command_names: tuple[str, ...]
    commands: NDArray[np.float32] | None  # [F, A]

    def __len__(self) -> int:
        return len(self.stamps_ns)

    def aligned_joints(self) -> AlignedJoints:
        """States, and commands in the order of the states. Raises RobotMismatch when commands lack a joint."""
        names, commands = self.state_names or self.command_names, self.commands
        if commands is not None:
            columns = match_names(names, self.command_names, whose="commands")
            commands = np.ascontiguousarray(commands[:, columns])  # frame by frame in memory and in files
        return AlignedJoints(self.name, names, self.states, commands)

    def joined_joints(self) -> AlignedJoints:
        """States and commands over the joints of both, those of the states first; NaN where one of the two lacks a
        joint."""
        names = tuple(dict.fromkeys((*self.state_names, *self.command_names)))
        return AlignedJoints(
            self.name,
            names,
            _spread(self.states, self.state_names, names),
            _spread(self.commands, self.command_names, names),
        )


def _spread(
    values: NDArray[np.float32] | None, own: tuple[str, ...], names: tuple[str, ...]
) -> NDArray[np.float32] | None:
    """Values [F, own] in the columns of `names`; NaN in the others."""
    if values is None:
        return None
    spread = np.full((len(values), len(names)), np.nan, dtype=np.float32)
    spread[:, match_names(own, names, whose="both channels")] = values
    return spread
