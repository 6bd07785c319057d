"""The times of the messages of a bag: which clock, and a constant offset, for each channel."""

from typing import Literal

from pydantic import Field

from hwm_core.config import Config
from hwm_core.data.recording.events import Channel

StampSource = Literal["header", "receive"]


class ChannelStamps(Config):
    """The times of the messages of one channel."""

    source: StampSource = Field(
        default="header", description="the stamp in the header, or when the recorder received the message"
    )
    offset_s: float = Field(default=0.0, description="seconds added to the times; negative where they are late")

    def stamp_ns(self, header_ns: int, received_ns: int) -> int:
        """The time of a message."""
        return (header_ns if self.source == "header" else received_ns) + round(1e9 * self.offset_s)


class Stamps(Config):
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
    return (
        given
        if isinstance(given, Stamps)
        else Stamps(**dict.fromkeys(("images", "states", "commands"), ChannelStamps(source=given)))
    )
