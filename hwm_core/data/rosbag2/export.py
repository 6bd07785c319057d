"""Writes recordings of any format as rosbag2: one message for each event, without resampling."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hwm_core.data.recording.conversion import Conversion, convert_each, unusable_messages
from hwm_core.data.recording.events import AnyEvent, CameraFrame, Channel, Cut, Notice
from hwm_core.data.recording.image_sources import ImageSources
from hwm_core.data.recording.publisher_check import PublisherCheck
from hwm_core.data.recording.recording import Recording, require_unique_names
from hwm_core.data.rosbag2.recording import BagRecording
from hwm_core.data.rosbag2.topics import Topics
from hwm_core.data.rosbag2.writer import BagWriter, ImageFormat
from hwm_core.errors import BadBag, BadInput

# Longer than MAX_GAP_PERIODS of any camera of 0.7 Hz or more.
CUT_PAUSE_NS = 5_000_000_000


@dataclass(frozen=True)
class BagLosses:
    """How a bag differs from its source."""

    cuts: int  # after the first cut, stamps are later than in the source
    bad_messages: int  # not in the bag
    first_fault: str  # of the bad messages; empty where there are none
    not_finite: int  # joint messages with NaN or infinity, written unchanged
    source_faults: tuple[str, ...] = ()  # data of the source that are missing or contradict each other


def write_bags(
    recordings: Sequence[Recording],
    folder: str | Path,
    topics: Topics,
    image_format: ImageFormat = "jpeg",
    progress: Callable[[Sequence[Recording]], Iterable[Recording]] = iter,
) -> Conversion:
    """Write one bag for each recording, with the recording's name. Bags that exist already are kept.

    Args:
        recordings: of different names.
        folder: the bags are created in it.
        topics: topics of the bags.
        image_format: of the images.
        progress: wraps the recordings, for example in a progress bar.

    Raises:
        BadBag: two recordings have the same name.
        BadInput: as `convert_each`.
    """
    require_unique_names(recordings)
    not_carried: set[str] = set()
    losses: list[BagLosses] = []
    existing: list[str] = []

    def write(recording: Recording) -> None:
        bag = Path(folder) / recording.name
        if isinstance(recording, BagRecording) and bag.resolve() == recording.path.resolve():
            raise BadBag(
                f"Bag {bag}",
                expected="another folder than the source's",
                got="the source itself",
                remedy="Choose another --out.",
            )
        if bag.exists():
            existing.append(recording.name)
            return
        losses.append(write_rosbag2(recording.events(), bag, topics, image_format))
        not_carried.update(recording.extras(), recording.labels().listed())

    left_out = convert_each(progress(recordings), write)
    return Conversion(_sentences(losses, not_carried, topics, image_format), left_out, existing)


def write_rosbag2(
    events: Iterable[AnyEvent], bag: str | Path, topics: Topics, image_format: ImageFormat = "jpeg"
) -> BagLosses:
    """Write one rosbag2 folder: images, joint states and commands with their stamps, in order of arrival.

    Compressed images are written to the image topic's `/compressed`, the name that image_transport uses. png and raw
    are lossless. A cut becomes a pause in the stamps, which every reader sees as a gap, and a message on `topics.cuts`,
    which makes hwm's reader drop joint values of the take before.

    Args:
        events: of one recording. Events that raise BadInput are left out and counted.
        bag: folder to create.
        topics: topics of the bag.
        image_format: of the images.

    Raises:
        BadInput: the source is damaged, a channel has no usable message, or publishers of the same joints contradict
            each other. No bag is left behind.
    """
    image_topic = topics.image if image_format == "raw" else f"{topics.image}/compressed"
    shift_ns = cuts = bad = not_finite = 0
    received_ns: int | None = None  # of the newest message
    after_cut = False
    usable: Counter[Channel] = Counter()
    source_faults: list[str] = []
    publishers, sources = PublisherCheck(), ImageSources()
    faults: dict[Channel, BadInput] = {}
    with BagWriter(bag) as writer:
        for event in events:
            if isinstance(event, Cut):
                after_cut = received_ns is not None
                continue
            if isinstance(event, Notice):
                source_faults += [event.text] if event.level == "fault" else []
                continue
            try:
                content = event.load()
            except BadInput as fault:
                bad += 1
                faults.setdefault(event.channel, fault)
                continue
            usable[event.channel] += 1
            publishers.add(event.channel, content)
            if after_cut and received_ns is not None:
                shift_ns = max(shift_ns, received_ns + CUT_PAUSE_NS - content.stamp_ns)
                writer.write_cut(topics.cuts, received_ns + 1)
                after_cut, cuts = False, cuts + 1
            stamp_ns = content.stamp_ns + shift_ns
            # Readers sort by time of arrival: a message whose stamp steps back still arrives after the message before.
            received_ns = stamp_ns if received_ns is None or stamp_ns >= received_ns else received_ns + 1
            if isinstance(content, CameraFrame):
                sources.add(content)
                writer.write_image(image_topic, stamp_ns, content.rgb, image_format, "head_camera", received_ns)
            else:
                not_finite += not np.isfinite(content.positions).all()
                topic = topics.joint_states if event.channel == "states" else topics.commands
                writer.write_joints(topic, stamp_ns, content.names, content.positions, received_ns=received_ns)
        for channel, first in faults.items():
            if not usable[channel]:
                raise first
        publishers.require_agreement(Path(bag).name)
    return BagLosses(cuts, bad, str(next(iter(faults.values()), "")), not_finite, (*source_faults, *sources.faults()))


def _sentences(
    losses: Sequence[BagLosses], not_carried: Iterable[str], topics: Topics, image_format: ImageFormat
) -> list[str]:
    found = [f"not carried over: {', '.join(sorted(not_carried))}"] if not_carried else []
    if cuts := sum(one.cuts for one in losses):
        pause_s = CUT_PAUSE_NS / 1e9
        found.append(
            f"stamps after a cut: each cut ({cuts} in all) is a pause of {pause_s:g} s and a message on {topics.cuts}"
        )
    first_fault = next((one.first_fault for one in losses if one.bad_messages), "")
    found += unusable_messages(sum(one.bad_messages for one in losses), first_fault)
    found += [f"faults of a source: {text}" for one in losses for text in one.source_faults]
    if not_finite := sum(one.not_finite for one in losses):
        found.append(f"no values, but {not_finite} joint messages have NaN or infinity, as in the source")
    if image_format == "jpeg" and losses:
        found.append("image quality: jpeg of quality 90; png and raw are lossless")
    return found
