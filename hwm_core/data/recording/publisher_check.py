"""Checks publishers while messages are copied or measured one by one, without aligning them."""

from contextlib import suppress

from hwm_core.data.recording.events import CameraFrame, Channel, JointValues
from hwm_core.data.recording.joint_epochs import JointEpochs
from hwm_core.errors import BadInput


class PublisherCheck:
    """Collects the joint messages of a recording that has publishers."""

    def __init__(self) -> None:
        self._tracks: dict[Channel, JointEpochs] = {}

    def add(self, channel: Channel, content: CameraFrame | JointValues) -> None:
        """Add a message in order of arrival. Images, and rows of tables, have no publishers and do not count."""
        if isinstance(content, JointValues) and content.publisher is not None:
            track = self._tracks.setdefault(channel, JointEpochs(None, None))
            with suppress(BadInput):  # whoever loads the message reports it
                track.append(content.stamp_ns, content.names, content.positions, content.publisher)

    def require_agreement(self, name: str) -> None:
        """Raises BadActions, about the recording `name`, when publishers of a joint contradict each other."""
        for channel, track in self._tracks.items():
            track.require_one_track(f"Joint {channel} of {name}")
