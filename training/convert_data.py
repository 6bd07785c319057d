"""Convert recordings to rosbag2 or LeRobot, and report what the new format cannot keep."""

import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import cast

from tqdm import tqdm

from hwm_core.data.lerobot.export import LeRobotOptions, write_lerobot
from hwm_core.data.lerobot.recording import LeRobotRecording
from hwm_core.data.lerobot.versions import Version, convert_version
from hwm_core.data.recording.conversion import Conversion
from hwm_core.data.recording.recording import Recording
from hwm_core.data.recording.video_encoder import Codec
from hwm_core.data.rosbag2.export import write_bags
from hwm_core.data.rosbag2.writer import ImageFormat

from .sources import Sources


@dataclass(frozen=True)
class ConvertOptions:
    """Options of the conversion; None keeps the source's value."""

    to: str  # rosbag2, lerobot-v2.1 or lerobot-v3.0
    image_format: ImageFormat  # of bags
    codec: Codec | None  # this field and all that follow: of LeRobot
    fps: float | None
    task: str | None
    robot: str | None


def convert(sources: Sources, out: Path, options: ConvertOptions) -> int:
    """Convert the recordings, and print what was done; returns 1 where some were skipped."""
    found = sources.recordings()
    recordings = found.usable()
    if options.to == "rosbag2":
        progress = partial(tqdm, unit="recording", disable=None)
        done = write_bags(recordings, out, sources.reading.topics, options.image_format, progress)
    else:
        done = _to_lerobot(recordings, sources, out, options)
    unusable = [one for one in done.left_out if one not in found.left_out()]
    made = len(recordings) - len(unusable) - len(done.existing)
    print(f"{out}: {made} recordings as {options.to}")
    if done.existing:
        print(f"existing bags kept, even if their options differ: {', '.join(done.existing)}")
    for loss in done.losses:
        print(f"  lost: {loss}")
    skipped = [*found.left_out(), *unusable]
    for one in skipped:
        print(f"skipped {one}", file=sys.stderr)
    return 1 if skipped else 0


def _to_lerobot(recordings: list[Recording], sources: Sources, out: Path, options: ConvertOptions) -> Conversion:
    """Copy a whole dataset to another version if no option changes it; otherwise encode the recordings."""
    version, camera = cast(Version, options.to.removeprefix("lerobot-")), sources.reading.camera
    datasets = {one.dataset.path: one.dataset for one in recordings if isinstance(one, LeRobotRecording)}
    one_dataset = len(datasets) == 1 and all(isinstance(one, LeRobotRecording) for one in recordings)
    columns = sources.reading.columns
    changes = (options.codec, options.fps, options.task, options.robot, sources.episodes)
    chosen = columns.states or columns.actions
    all_cameras = camera is None or any(dataset.cameras == (camera,) for dataset in datasets.values())
    if one_dataset and all_cameras and not chosen and all(change is None for change in changes):
        return convert_version(next(iter(datasets)), out, version)
    settings = {"codec": options.codec or "av1", "fps": options.fps, "task": options.task, "robot": options.robot}
    return write_lerobot(recordings, out, LeRobotOptions.parse({"version": version, **settings}, where="convert"))
