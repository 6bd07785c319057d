"""Make an episode store, ready for training, from bags, LeRobot datasets or videos."""

import argparse
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from tqdm import tqdm

from hwm_core.data.checks.inspection import inspect
from hwm_core.data.checks.verification import is_store
from hwm_core.data.episodes.prepare import Prepared, fit_store_manifests, prepare_episodes
from hwm_core.data.episodes.split import SplitFile, is_nth
from hwm_core.data.episodes.store import Split, copied_episodes, open_store
from hwm_core.data.recording.preprocessing import Preprocessing
from hwm_core.data.recording.read_report import ReadReport
from hwm_core.data.recording.recording import Recording, first_aspect
from hwm_core.data.robot.description import Robot, read_robot
from hwm_core.data.robot.embodiment import embodiment_names
from hwm_core.data.robot.fit_manifests import undeclared_units
from hwm_core.data.robot.manifest import ActionKind, ActionManifest
from hwm_core.errors import BadBag, BadConfig, BadInput

from .sources import ReadOptions, read_embodiments

# Above this share of repeated frames, the camera is slower than the store. Below it, a few images were lost.
_MANY_REPEATED = 0.05


@dataclass(frozen=True)
class PrepareOptions:
    """How recordings become a store: the options of the command line."""

    robot: str | None
    embodiment: list[str] | None
    size: int
    crop: str
    margins: Sequence[float]  # top, bottom, left, right
    rate: float  # Hz
    frame_skip: int
    drop_repeats: bool
    split: Path | None
    validation: list[Path]
    validation_nth: int
    joints: list[str] | None
    workers: int
    reading: ReadOptions

    @classmethod
    def of(cls, options: argparse.Namespace) -> "PrepareOptions":
        """From the arguments that `add_prepare_options` adds."""
        own = {field.name: getattr(options, field.name) for field in fields(cls) if field.name != "reading"}
        return cls(**own, reading=ReadOptions.of(options))

    def preprocessing(self, recordings: Sequence[Recording]) -> Preprocessing:
        """The preprocessing of all episodes; several robots may have cameras of different shapes."""
        several_robots = self.embodiment is not None and len(self.embodiment) > 1
        return Preprocessing.parse(
            {
                "source_aspect": 0 if several_robots else first_aspect(recordings),
                "margins": tuple(self.margins),
                "crop": self.crop,
                "height": self.size,
                "width": self.size,
                "frame_rate_hz": self.rate / (1 + self.frame_skip),
                "drop_repeats": self.drop_repeats,
            },
            where="prepare_data",
        )


def prepare(sources: Sequence[Path], out: Path, options: PrepareOptions) -> int:
    """Fill the store `out` with the recordings, and print what was done; returns 1 where some were skipped."""
    _reject_contradictions(options)
    embodiment = read_embodiments(options.embodiment)
    robot = embodiment.description() if embodiment else read_robot(str(options.robot))
    recordings, skipped = _split_recordings(sources, options)
    preprocessing = options.preprocessing(recordings["training"])
    if not is_store(out):
        for warning in _warnings_before(recordings["training"], preprocessing, options, robot):
            print(warning, flush=True)
    outcomes = prepare_episodes(recordings, out, preprocessing, options.joints, options.workers, embodiment)
    with tqdm(total=sum(map(len, recordings.values())), unit="episode") as progress:
        for one in skipped:
            progress.write(f"skipped {one}")
        faults = _show_progress(outcomes, progress)
    if faults and not is_store(out):
        raise BadBag("Recordings", expected="usable recordings for training", got="none", remedy=faults[0])
    aliases = embodiment.aliases if embodiment else None
    manifests = fit_store_manifests(out, robot, aliases, some_joints=options.joints is not None)
    store = open_store(out)
    counts = f"{len(store.training)} training and {len(store.validation)} validation episodes"
    print(f"{out}: {counts}, {len(skipped) + len(faults)} skipped")
    for text in copied_episodes(store):
        print(text)
    _print_manifests(manifests, robot)
    return 1 if skipped or faults else 0


def _warnings_before(
    recordings: Sequence[Recording], preprocessing: Preprocessing, options: PrepareOptions, robot: Robot
) -> Iterator[str]:
    """What would make a poor store, seen in the first readable recording before anything is written.

    Raises:
        BadConfig: `robot` describes a joint that was not recorded.
    """
    for recording in recordings:
        try:
            found = inspect(recording)
            _, report = recording.read(preprocessing)
        except BadInput:
            continue  # it is reported when its turn comes
        if not options.embodiment:
            robot.require_used([one.name for one in found.joints.get("states") or found.joints["commands"]])
        if repeated := _repeated_frames(report, options.rate, options.frame_skip):
            yield f"{recording.name}: {repeated}"
        if any(found.bars) and not any(options.margins):
            margins = " ".join(f"{share:.3g}" for share in found.bars)
            yield f"{recording.name}: black bars in every image. `--margins {margins}` removes them."
        return


def _show_progress(outcomes: Iterable[Prepared], progress: tqdm) -> list[str]:
    """The faults of all recordings that could not be read."""
    frames = 0
    faults: list[str] = []
    for outcome in outcomes:
        progress.update()
        if outcome.fault:
            faults.append(f"{outcome.name}: {outcome.fault}")
            progress.write(f"skipped {faults[-1]}")
        elif outcome.report:
            frames += outcome.report.frames
            if remarks := outcome.report.remarks():
                progress.write(f"{outcome.name}: {remarks}")
        progress.set_postfix(frames=frames)
    return faults


def _reject_contradictions(options: PrepareOptions) -> None:
    if options.robot in embodiment_names():
        raise BadConfig(
            "--robot",
            expected="a YAML file, or the name of a robot without an embodiment file",
            got=f"`{options.robot}`, which is an embodiment",
            remedy=f"Use --embodiment {options.robot} instead.",
        )
    if options.embodiment and options.joints:
        raise BadConfig(
            "--joints",
            expected="no --joints together with --embodiment, which defines the joints",
            got=" ".join(options.joints),
            remedy="Remove --joints, or use an embodiment file with these joints.",
        )


def _split_recordings(
    sources: Sequence[Path], options: PrepareOptions
) -> tuple[dict[Split, list[Recording]], list[str]]:
    """The recordings of both splits, and the data sets that cannot be opened, each with the reason."""
    found = [options.reading.search(paths) for paths in (sources, options.validation)]
    training, validation = (part.usable() for part in found)
    if options.split:
        sides = SplitFile.read(options.split).apply(training)
        training, validation = sides["training"], validation + sides["validation"]
    if options.validation_nth:
        validation += [one for one in training if is_nth(one, options.validation_nth)]
        training = [one for one in training if not is_nth(one, options.validation_nth)]
    skipped = [one for part in found for one in part.left_out()]
    if not training or not validation:
        counts = f"{len(training)} for training, {len(validation)} for validation"
        raise BadBag(
            "Recordings",
            expected="at least one recording for training, and another for validation",
            got=f"{counts}, {len(skipped)} skipped, the first: {skipped[0].rstrip('.')}" if skipped else counts,
            remedy="List recordings with --validation, or use every N-th recording with --validation-nth N.",
        )
    return {"training": training, "validation": validation}, skipped


def _print_manifests(manifests: Mapping[ActionKind, ActionManifest], robot: Robot) -> None:
    print(f"actions: {' and '.join(manifests)}")
    for warning in undeclared_units(manifests, robot):
        print(warning)
    for kind, manifest in manifests.items():
        if constant := [name for name, still in zip(manifest.names, manifest.constant) if still]:
            print(f"{kind}: {len(constant)} of {manifest.dim} dimensions are constant: {', '.join(constant)}")


def _repeated_frames(report: ReadReport, rate: float, frame_skip: int) -> str:
    """A warning about frames that repeat the previous frame; empty where they are few."""
    frames, repeated = report.frames, report.held
    if repeated <= _MANY_REPEATED * frames:
        return ""
    camera_rate = report.shown_hz * (1 + frame_skip)
    remedy = (
        f"`--rate {camera_rate:.4g}` repeats no frames."
        if camera_rate < rate
        else "A lower `--rate` repeats fewer frames."
    )
    return (
        f"{repeated} of {frames} frames ({repeated / frames:.0%}) repeat the previous frame: the camera is slower than "
        f"--rate {rate:g}. Repeated frames make copying the last frame look too good in evaluations. {remedy}"
    )
