"""What reading one recording found and left out, in counts."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ReadReport:
    """Counts of messages read and left out, and of the frames of the episode."""

    images: int = 0  # messages
    states: int = 0  # messages
    commands: int = 0  # messages
    bad: int = 0  # messages left out: undecodable, another aspect, not finite, no stamp, or joints missing
    late: int = 0  # messages left out: their stamp is not after the previous one
    same_stamp: int = 0  # joint messages left out: another message of the same joints and stamp came after
    repeats: int = 0  # images left out: equal to the previous image
    gaps: int = 0  # pauses of the camera; each starts a segment
    clock_jumps: int = 0  # backward jumps of the camera's clock; each starts a segment
    frames: int = 0  # frames of the episode
    unaligned_frames: int = 0  # frames left out: no state around them, or no command before them
    lost_frames: int = 0  # unaligned frames, not only a few at the ends, in a recording with bad joint messages
    old_commands: int = 0  # frames whose command is more than 1 s old
    held: int = 0  # frames that repeat the previous image, because the camera sent no new one in time
    shown_hz: float = 0.0  # rate of the distinct images, from their median interval; 0 for fewer than two
    first_fault: str = ""  # why the first bad message was left out
    source_faults: tuple[str, ...] = ()  # data of the source that are missing or contradict each other
    source_notes: tuple[str, ...] = ()  # what of the source was left out on purpose

    def remarks(self) -> str:
        """What was left out, in one line; empty when everything is in the episode."""
        counts = (
            (self.bad, "bad message", "bad messages"),
            (self.late, "late message", "late messages"),
            (self.same_stamp, "joint message with the stamp of another", "joint messages with the stamps of others"),
            (self.repeats, "repeated image", "repeated images"),
            (self.gaps, "gap", "gaps"),
            (self.clock_jumps, "clock jump", "clock jumps"),
            (self.unaligned_frames, "frame without joint values", "frames without joint values"),
            (self.old_commands, "frame with a command over 1 s old", "frames with commands over 1 s old"),
        )
        listed = ", ".join(f"{count} {one if count == 1 else many}" for count, one, many in counts if count)
        listed = f"{listed} ({self.first_fault})" if self.first_fault else listed
        return "; ".join(filter(None, [*self.source_faults, listed, *self.source_notes]))
