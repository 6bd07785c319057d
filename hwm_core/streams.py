"""Token streams: past video, future video, past actions, future actions (paper section 2.4)."""

from enum import Enum


class Stream(str, Enum):
    """A kind of token. The newest observed frame is the last frame of the past."""

    PAST_VIDEO = "past_video"
    FUTURE_VIDEO = "future_video"
    PAST_ACTIONS = "past_actions"
    FUTURE_ACTIONS = "future_actions"

    @property
    def is_video(self) -> bool:
        return self in VIDEO

    @property
    def is_past(self) -> bool:
        return self in PAST


VIDEO = (Stream.PAST_VIDEO, Stream.FUTURE_VIDEO)
ACTIONS = (Stream.PAST_ACTIONS, Stream.FUTURE_ACTIONS)
PAST = (Stream.PAST_VIDEO, Stream.PAST_ACTIONS)
