"""Convert recordings to rosbag2 or LeRobot, and report what the new format cannot keep.

    python -m training.convert_data g1_yellow_bottle --episodes 5 15 --to rosbag2 --out bags
    python -m training.convert_data recordings --to lerobot-v3.0 --out set

Exit status 0: all were converted; 1: some were skipped; 2: bad input.
"""

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import cast, get_args

from tqdm import tqdm

from hwm_core.data.discover import FoundRecordings
from hwm_core.data.lerobot.export import LeRobotOptions, write_lerobot
from hwm_core.data.lerobot.recording import LeRobotRecording
from hwm_core.data.lerobot.versions import Version, convert_version
from hwm_core.data.recording.conversion import Conversion
from hwm_core.data.recording.recording import Recording
from hwm_core.data.recording.video_encoder import Codec
from hwm_core.data.rosbag2.export import write_bags
from hwm_core.data.rosbag2.writer import ImageFormat
from training.command_line import run_command
from training.sources import Reading, Sources, add_sources, print_skipped


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    return run_command(
        build_parser(), lambda options: convert(Sources.of(options).recordings(), options, options.out), arguments
    )


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_sources(parser)
    parser.add_argument("--to", required=True, choices=("rosbag2", "lerobot-v2.1", "lerobot-v3.0"))
    parser.add_argument("--out", type=Path, required=True, help="new folder; bags that are already in it are kept")
    parser.add_argument(
        "--image-format", choices=get_args(ImageFormat), default="jpeg", help="images in bags (%(default)s)"
    )
    parser.add_argument(
        "--codec", choices=get_args(Codec), help="video of LeRobot (default: av1; between versions: copied)"
    )
    parser.add_argument("--fps", type=float, help="of LeRobot (default: the camera's rate)")
    parser.add_argument("--task", help="task description for LeRobot (default: the source's)")
    parser.add_argument("--robot", help="robot name for LeRobot (default: the source's)")
    return parser


def convert(found: FoundRecordings, options: argparse.Namespace, out: Path) -> int:
    """Convert the recordings, and print what was done; returns 1 where some were skipped."""
    recordings = found.usable()
    if options.to == "rosbag2":
        progress = partial(tqdm, unit="recording", disable=None)
        done = write_bags(recordings, out, Reading.of(options).topics, options.image_format, progress)
    else:
        done = _to_lerobot(recordings, options, out)
    made = len(recordings) - len(done.left_out) - len(done.existing)
    print(f"{out}: {made} recordings as {options.to}")
    if done.existing:
        print(f"already there, kept as made before, whatever the options: {', '.join(done.existing)}")
    for loss in done.losses:
        print(f"  lost: {loss}")
    for one in done.left_out:
        print(f"left out {one}", file=sys.stderr)
    return 1 if print_skipped(found) or done.left_out else 0


def _to_lerobot(recordings: list[Recording], options: argparse.Namespace, out: Path) -> Conversion:
    """A whole dataset without further options is copied to the other version; all else is encoded again."""
    version = cast(Version, options.to.removeprefix("lerobot-"))
    datasets = {one.dataset.path: one.dataset for one in recordings if isinstance(one, LeRobotRecording)}
    from_one_dataset = len(datasets) == 1 and all(isinstance(one, LeRobotRecording) for one in recordings)
    changes = [getattr(options, name) for name in ("codec", "episodes", "fps", "task", "robot")]
    only_camera = any(dataset.cameras == (options.camera,) for dataset in datasets.values())
    if from_one_dataset and all(change is None for change in changes) and (options.camera is None or only_camera):
        return convert_version(next(iter(datasets)), out, version)
    keys = {key: getattr(options, key) for key in ("fps", "task", "robot")}
    chosen = LeRobotOptions.parse({"version": version, "codec": options.codec or "av1", **keys}, where="convert")
    return write_lerobot(recordings, out, chosen)


if __name__ == "__main__":
    sys.exit(main())
