"""Bags or LeRobot datasets into an episode store, ready for training.

    python -m training.prepare_data recordings --robot robot.yaml --validation-nth 10 --out store
    python -m training.prepare_data g1_yellow_bottle --robot g1 --validation held_out --out store

fills store/training and store/validation, and fits the action manifests store/states.yaml and store/commands.yaml.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from hwm_core.data.checks.verification import is_store
from hwm_core.data.discover import joined, search_recordings
from hwm_core.data.episodes.prepare import fit_manifests, prepare_episodes, undeclared_units
from hwm_core.data.episodes.split import SplitFile, is_nth
from hwm_core.data.episodes.store import Split
from hwm_core.data.recording.assembly import ReadReport
from hwm_core.data.recording.preprocessing import Preprocessing
from hwm_core.data.recording.recording import Recording
from hwm_core.data.robot.embodiment import embodiment_names, read_embodiment, union
from hwm_core.data.robot.limits import read_robot
from hwm_core.data.rosbag2.topics import Topics
from hwm_core.errors import BadBag, BadConfig, BadInput
from training.numbers import not_negative, positive
from training.paths import paths_told

# Of the frames: fewer are pictures lost here and there.
_MANY_HELD = 0.05


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line. Exit status 0: all read; 1: some recordings were left out; 2: nothing could be done."""
    options = _parse(arguments)
    try:
        with paths_told():
            return _prepare(options)
    except BadInput as error:
        print(error, file=sys.stderr)
        return 2


def _prepare(options: argparse.Namespace) -> int:
    if options.robot in embodiment_names():
        raise BadConfig(
            "--robot",
            expected="a YAML file, or the name of a robot of whose joints nothing is known",
            got=f"`{options.robot}`, whose joints a layout knows",
            remedy=f"Give --embodiment {options.robot} in its place.",
        )
    if options.embodiment and options.joints:
        raise BadConfig(
            "--joints",
            expected="none beside --embodiment, whose dimensions are the joints",
            got=" ".join(options.joints),
            remedy="Leave it out, or name a layout file of these joints.",
        )
    embodiment = union([read_embodiment(name) for name in options.embodiment]) if options.embodiment else None
    robot = embodiment.description() if embodiment else read_robot(options.robot)
    topics = Topics(image=options.image_topic, joint_states=options.joint_topic, commands=options.command_topic)
    both = [
        joined(search_recordings(path, topics, options.camera, options.stamps) for path in paths)
        for paths in (options.sources, options.validation)
    ]
    training, validation = (found.usable() for found in both)
    if options.split:
        sides = SplitFile.read(options.split).apply(training)
        training, validation = sides["training"], validation + sides["validation"]
    if options.validation_nth:
        validation += [one for one in training if is_nth(one, options.validation_nth)]
        training = [one for one in training if not is_nth(one, options.validation_nth)]
    if not training or not validation:
        raise BadBag(
            "Recordings",
            expected="some to train on and some, never trained on, to judge by",
            got=f"{len(training)} and {len(validation)}",
            remedy="Name recordings with --validation, or keep every N-th one with --validation-nth N.",
        )
    preprocessing = Preprocessing.parse(
        {
            "source_aspect": 0 if options.embodiment and len(options.embodiment) > 1 else _aspect(training),
            "cut": tuple(options.cut),
            "crop": options.crop,
            "height": options.size,
            "width": options.size,
            "frame_rate_hz": options.rate / (1 + options.frame_skip),
            "drop_repeats": options.drop_repeats,
        },
        where="prepare_data",
    )
    recordings: dict[Split, list[Recording]] = {"training": training, "validation": validation}
    damaged = joined(both).left_out()
    frames, faults, fault = 0, len(damaged), ""  # the first of those read
    reports: list[ReadReport] = []
    outcomes = prepare_episodes(recordings, options.out, preprocessing, options.joints, options.workers, embodiment)
    with tqdm(total=len(training) + len(validation), unit="episode") as progress:
        for one in damaged:
            progress.write(f"left out {one}")
        for outcome in outcomes:
            progress.update()
            if outcome.fault:
                faults, fault = faults + 1, fault or f"{outcome.name}: {outcome.fault}"
                progress.write(f"left out {outcome.name}: {outcome.fault}")
            elif outcome.report:
                frames += outcome.report.frames
                reports.append(outcome.report)
                if remarks := outcome.report.remarks():
                    progress.write(f"{outcome.name}: {remarks}")
            progress.set_postfix(frames=frames)
    if fault and not is_store(options.out):
        raise BadBag("Recordings", expected="some to train on that can be used", got="none", remedy=fault)
    manifests = fit_manifests(options.out, robot, embodiment.aliases if embodiment else None)
    print(f"{options.out}: {len(training)} training and {len(validation)} validation episodes, {faults} left out")
    if held := _held(reports, options.rate, options.frame_skip):
        print(held)
    print(f"actions: {' and '.join(manifests)}")
    for warning in undeclared_units(manifests, robot):
        print(warning)
    for kind, manifest in manifests.items():
        if constant := [name for name, still in zip(manifest.names, manifest.constant) if still]:
            print(f"{kind}: {len(constant)} of {manifest.dim} dimensions are constant: {', '.join(constant)}")
    return 1 if faults else 0


def _held(reports: list[ReadReport], rate: float, frame_skip: int) -> str:
    """What to say of frames that show the picture before again; nothing where they are few."""
    frames, held = sum(one.frames for one in reports), sum(one.held for one in reports)
    if held <= _MANY_HELD * frames:
        return ""
    kept_rate = min(one.shown_hz for one in reports if one.held > _MANY_HELD * one.frames) * (1 + frame_skip)
    remedy = f"With `--rate {kept_rate:.4g}` none is held." if kept_rate < rate else "A lower `--rate` holds fewer."
    return (
        f"{held} of {frames} frames ({held / frames:.0%}) show the picture before again, because the camera gave no "
        f"new one in time for --rate {rate:g}: copying the last frame looks better than it is. {remedy}"
    )


def _aspect(recordings: list[Recording]) -> float:
    """Width / height of the first picture that can be read."""
    fault: BadInput | None = None
    for recording in recordings:
        try:
            height, width = recording.first_image().shape[:2]
            return width / height
        except BadInput as error:
            fault = fault or error
    assert fault is not None  # there are recordings
    raise fault


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    topics = Topics()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sources", nargs="+", type=Path, help="bag, data set, video with a table, or a folder of them")
    parser.add_argument("--out", type=Path, required=True, help="store to fill; run again to resume")
    robot = parser.add_mutually_exclusive_group(required=True)
    robot.add_argument("--robot", help="YAML file of its name and joints (units, limits), or just its name")
    robot.add_argument(
        "--embodiment",
        nargs="+",
        metavar="LAYOUT",
        help=f"of one robot, or of each of several: {', '.join(embodiment_names())}, or YAML files",
    )
    parser.add_argument("--size", type=int, default=64, help="height and width in pixels (%(default)s)")
    parser.add_argument("--crop", choices=("none", "centre_square"), default="centre_square")
    parser.add_argument(
        "--cut",
        nargs=4,
        type=float,
        default=(0.0, 0.0, 0.0, 0.0),
        metavar=("TOP", "BOTTOM", "LEFT", "RIGHT"),
        help="shares of height and width to take off before the crop: black bars, or the second eye of a stereo camera",
    )
    parser.add_argument("--rate", type=float, default=30.0, help="frames a second (%(default)s)")
    parser.add_argument(
        "--frame-skip", type=not_negative, default=0, metavar="N", help="leave out N frames after each kept"
    )
    parser.add_argument("--drop-repeats", action="store_true", help="leave out pictures equal to the one before")
    parser.add_argument("--split", type=Path, help="file of `data split`: which sources are kept from training")
    parser.add_argument("--validation", nargs="+", type=Path, default=[], metavar="SOURCE", help="to judge by")
    parser.add_argument(
        "--validation-nth", type=not_negative, default=0, metavar="N", help="also sources whose number N divides"
    )
    parser.add_argument("--joints", nargs="+", help="joints, in this order; default: those of the first recording")
    parser.add_argument("--camera", help="video key, where a LeRobot dataset has several")
    parser.add_argument("--image-topic", default=topics.image, help="or its /compressed (%(default)s)")
    parser.add_argument("--joint-topic", default=topics.joint_states, help="%(default)s")
    parser.add_argument("--command-topic", default=topics.commands, help="%(default)s")
    parser.add_argument("--stamps", choices=("header", "receive"), default="header", help="what times messages")
    parser.add_argument("--workers", type=positive, default=1, help="processes that read (%(default)s)")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
