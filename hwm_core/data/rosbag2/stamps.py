"""The times of the messages of a bag: which clock, and a constant offset, for each channel."""

from dataclasses import dataclass
from typing import Literal

from hwm_core.data.recording.events import Channel

StampSource = Literal["header", "receive"]


@dataclass(frozen=True)
class ChannelStamps:
    """The times of the messages of one channel."""

    source: StampSource = "header"  # the stamp in the header, or when the recorder received the message
    offset_s: float = 0.0  # added: negative where the stamps are late, such as the exposure and transfer of a camera

    def stamp_ns(self, header_ns: int, received_ns: int) -> int:
        """The time of a message."""
        return (header_ns if self.source == "header" else received_ns) + round(1e9 * self.offset_s)


@dataclass(frozen=True)
class Stamps:
    """The times of the messages of all channels."""

    images: ChannelStamps = ChannelStamps()
    states: ChannelStamps = ChannelStamps()
    commands: ChannelStamps = ChannelStamps()

    def of(self, channel: Channel) -> ChannelStamps:
        """The times of one channel."""
        return {"images": self.images, "states": self.states, "commands": self.commands}[channel]


HEADER_STAMPS = Stamps()


def as_stamps(given: Stamps | StampSource) -> Stamps:
    """`Stamps` as they are; one source means that of all channels."""
    return given if isinstance(given, Stamps) else Stamps(*[ChannelStamps(given)] * 3)
