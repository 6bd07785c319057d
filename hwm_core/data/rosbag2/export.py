"""Recordings of any format to rosbag2: every event is one message, nothing is resampled, cuts are kept."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from hwm_core.data.recording.conversion import Conversion, convert_each, unusable_messages
from hwm_core.data.recording.events import CameraFrame, Channel, Cut, Event
from hwm_core.data.recording.recording import Recording, require_unique_names
from hwm_core.data.rosbag2.topics import Topics
from hwm_core.data.rosbag2.writer import BagWriter
from hwm_core.errors import BadInput

Form = Literal["raw", "jpeg", "png"]
# Longer than MAX_GAP_PERIODS of any camera of 0.7 Hz or more.
CUT_PAUSE_NS = 5_000_000_000


@dataclass(frozen=True)
class Written:
    """What a bag is not, that its source is."""

    cuts: int  # from the first on, stamps are later than in the source
    bad: int  # messages that cannot be read, and are left out
    first_fault: str  # of these; empty where there are none
    not_finite: int  # joint messages with NaN or infinity, written as they are


def write_bags(
    recordings: Sequence[Recording],
    folder: str | Path,
    topics: Topics,
    form: Form = "jpeg",
    shown: Callable[[Sequence[Recording]], Iterable[Recording]] = iter,
) -> Conversion:
    """Write a bag of each recording's name; those that are there are kept, and told apart from those made.

    Args:
        shown: the recordings one after the other, as a progress bar gives them.

    Raises:
        BadBag: two recordings of one name.
        BadInput: as `convert_each`.
    """
    require_unique_names(recordings)
    beside: set[str] = set()
    done: list[Written] = []
    kept: list[str] = []

    def write(recording: Recording) -> None:
        bag = Path(folder) / recording.name
        if bag.exists():
            kept.append(recording.name)
            return
        done.append(write_rosbag2(recording.events(), bag, topics, form))
        beside.update(recording.extras(), recording.labels().listed())

    left_out = convert_each(shown(recordings), write)
    losses = [f"not carried over: {', '.join(sorted(beside))}"] if beside else []
    if cuts := sum(one.cuts for one in done):
        pause = f"a pause of {CUT_PAUSE_NS / 1e9:g} s and a message on {topics.cuts} mark each of {cuts} cuts"
        losses.append(f"stamps after a cut: {pause}")
    losses += unusable_messages(sum(one.bad for one in done), next((one.first_fault for one in done if one.bad), ""))
    if not_finite := sum(one.not_finite for one in done):
        losses.append(f"values of {not_finite} joint messages: NaN or infinity in the source, written as they are")
    losses += ["pictures: jpeg of quality 90; png and raw keep every bit"] if form == "jpeg" and done else []
    return Conversion(losses, left_out, kept)


def write_rosbag2(events: Iterable[Event | Cut], bag: str | Path, topics: Topics, form: Form = "jpeg") -> Written:
    """Write one rosbag2 folder: pictures, joint states and commands at their stamps, in their order of arrival.

    Compressed pictures go to the image topic's `/compressed`, as image_transport names it. png and raw keep every bit.
    A cut becomes a pause in the stamps, which any reader takes for a gap, and a message on `topics.cuts`, by which ours
    knows that no joint value holds across it. A message that cannot be read is left out and counted.

    Raises:
        BadInput: of the source, or of a stream of which no message can be read; nothing is left behind.
    """
    image_topic = topics.image if form == "raw" else f"{topics.image}/compressed"
    shift_ns = cuts = 0
    received_ns: int | None = None  # of the newest message
    cut = False
    sound: Counter[Channel] = Counter()
    faults: dict[Channel, BadInput] = {}
    bad = not_finite = 0
    with BagWriter(bag) as writer:
        for event in events:
            if isinstance(event, Cut):
                cut = received_ns is not None
                continue
            try:
                content = event.load()
            except BadInput as fault:
                bad += 1
                faults.setdefault(event.channel, fault)
                continue
            sound[event.channel] += 1
            if cut and received_ns is not None:
                shift_ns = max(shift_ns, received_ns + CUT_PAUSE_NS - content.stamp_ns)
                writer.write_cut(topics.cuts, received_ns + 1)
                cut, cuts = False, cuts + 1
            stamp_ns = content.stamp_ns + shift_ns
            # Readers go by the time of arrival: a stamp that steps back must not overtake what came before it.
            received_ns = stamp_ns if received_ns is None or stamp_ns >= received_ns else received_ns + 1
            if isinstance(content, CameraFrame):
                writer.write_image(image_topic, stamp_ns, content.rgb, form, "head_camera", received_ns)
            else:
                not_finite += not np.isfinite(content.positions).all()
                topic = topics.joint_states if event.channel == "states" else topics.commands
                writer.write_joints(topic, stamp_ns, content.names, content.positions, received_ns=received_ns)
        for stream, first in faults.items():
            if not sound[stream]:
                raise first
    return Written(cuts, bad, str(next(iter(faults.values()), "")), not_finite)
