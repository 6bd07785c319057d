"""Recordings of any format to rosbag2: every event is one message, nothing is resampled."""

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from hwm_core.data.bag import BagWriter, Topics
from hwm_core.data.conversion import Conversion, convert_each
from hwm_core.data.events import Cut, Event, Picture
from hwm_core.data.recording import Recording

Form = Literal["raw", "jpeg", "png"]


def write_bags(recordings: Iterable[Recording], folder: str | Path, topics: Topics, form: Form = "jpeg") -> Conversion:
    """Write a bag of each recording's name; those that are there are kept. Raises as `convert_each`."""
    beside: set[str] = set()

    def write(recording: Recording) -> None:
        bag = Path(folder) / recording.name
        if not bag.exists():
            write_rosbag2(recording.events(), bag, topics, form)
        beside.update(recording.beside())

    left_out = convert_each(recordings, write)
    losses = [f"not carried over: {', '.join(sorted(beside))}"] if beside else []
    losses += ["pictures: jpeg of quality 90; png and raw keep every bit"] if form == "jpeg" else []
    return Conversion(losses, left_out)


def write_rosbag2(events: Iterable[Event | Cut], bag: str | Path, topics: Topics, form: Form = "jpeg") -> None:
    """Write one rosbag2 folder: pictures, joint states and commands at their stamps.

    Compressed pictures go to the image topic's `/compressed`, as image_transport names it. png and raw keep every bit.

    Raises:
        BadInput: of the source; nothing is left behind.
    """
    image_topic = topics.image if form == "raw" else f"{topics.image}/compressed"
    with BagWriter(bag) as writer:
        for event in events:
            if isinstance(event, Cut):
                continue  # a bag has no sign for it; takes are told apart by their stamps
            content = event.load()
            if isinstance(content, Picture):
                writer.write_image(image_topic, content.stamp_ns, content.rgb, form, frame_id="head_camera")
            else:
                topic = topics.joint_states if event.stream == "states" else topics.commands
                writer.write_joints(topic, content.stamp_ns, content.names, content.positions)
