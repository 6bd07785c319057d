"""Recordings of any format to a LeRobot dataset, v2.1 or v3.0; what the format cannot keep is said."""

import json
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from copy import deepcopy
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet
from numpy.typing import NDArray
from pydantic import Field

from hwm_core.config import Config
from hwm_core.data.lerobot.stats import FeatureStats, column_stats, picture_stats
from hwm_core.data.lerobot.versions import Version, convert_version
from hwm_core.data.lerobot.writers import V2_PATHS
from hwm_core.data.recording.conversion import Conversion, convert_each, unusable_messages
from hwm_core.data.recording.episode_reader import read_timeline
from hwm_core.data.recording.events import CameraFrame, Cut, Event, JointValues
from hwm_core.data.recording.labels import Labels
from hwm_core.data.recording.recording import Recording
from hwm_core.data.recording.timeline import Timeline
from hwm_core.data.recording.video_encoder import Codec, FrameEncoder
from hwm_core.data.recording.video_reader import VideoSpan
from hwm_core.errors import BadBag, BadInput
from hwm_core.io.atomic import new_folder

# Pictures of an episode that its statistics and the codec's loss are measured on.
_PROBES = 16


class LeRobotOptions(Config):
    """How the dataset is written."""

    version: Version = "v3.0"
    fps: float | None = Field(
        default=None, gt=0, allow_inf_nan=False, description="absent: the rate of the first recording's camera"
    )
    codec: Codec = "av1"
    # Absent: as the source names it, and where it does not, `observation.images.head`, no task, and `unknown`.
    camera: str | None = None
    task: str | None = None
    robot: str | None = None


@dataclass
class _Told:
    """What was lost on the way."""

    worst_shift_ns: int = 0
    left_out: int = 0
    held: int = 0
    bad: int = 0
    first_fault: str = ""  # of these
    late: int = 0
    split: list[str] = field(default_factory=list)
    beside: set[str] = field(default_factory=set)
    psnr: list[float] = field(default_factory=list)
    rounded: bool = False
    without: set[str] = field(default_factory=set)
    renamed: set[str] = field(default_factory=set)
    several_tasks: list[str] = field(default_factory=list)
    renumbered: list[str] = field(default_factory=list)

    def sentences(self, options: LeRobotOptions) -> list[str]:
        exact = all(value == np.inf for value in self.psnr)
        facts: list[tuple[Any, str]] = [
            (True, "times of day: an episode starts at 0 s"),
            (
                self.worst_shift_ns > 1000,
                f"stamps, moved by up to {self.worst_shift_ns / 1e6:.3f} ms onto a fixed rate",
            ),
            (self.left_out, f"{self.left_out} pictures between the frames of that rate or without joint values"),
            (self.held, f"{self.held} frames show a picture again, because the camera gave no good one in time"),
            (self.late, f"{self.late} messages that came late: their stamp is not after the one before"),
            (self.split, f"gaps: these became several episodes: {', '.join(self.split)}"),
            (self.rounded, "joint values beyond single precision: they are stored as float32"),
            (
                not exact,
                f"pictures: codec {options.codec}, {np.mean([p for p in self.psnr if p < np.inf] or [0]):.1f} dB PSNR",
            ),
            (self.without, f"not recorded, so not in the dataset: {', '.join(sorted(self.without))}"),
            (self.renamed, f"names, of which a dataset has one: {', '.join(sorted(self.renamed))}"),
            (
                self.several_tasks,
                f"which frame is of which task: all are given the first of {', '.join(self.several_tasks)}",
            ),
            (self.renumbered, f"episode numbers, counted anew: {', '.join(self.renumbered)}"),
            (self.beside, f"not carried over: {', '.join(sorted(self.beside))}"),
        ]
        return [sentence for holds, sentence in facts if holds] + unusable_messages(self.bad, self.first_fault)


def write_lerobot(recordings: Sequence[Recording], path: str | Path, options: LeRobotOptions) -> Conversion:
    """Write one dataset; the folder appears whole or not at all. A stretch without a gap becomes an episode.

    A recording whose joints or picture size are not those of the first is left out as a bad one is.

    Returns:
        What was lost. With `codec="lossless"` and a source on a fixed rate, no frame and no row is.

    Raises:
        BadInput: nothing usable.
    """
    fps = options.fps or _first_rate_hz(recordings)
    told = _Told()

    def write(recording: Recording) -> None:
        nonlocal told
        with writer.whole_recording():
            told = _write(recording, writer, fps, told)

    with new_folder(path) as folder:
        work = folder / "v2.1"
        writer = _Writer(work, fps, options, _labels(recordings, options))
        left_out = convert_each(recordings, write)
        writer.finish()
        numbers = _own_numbers(writer.sources) if options.version == "v3.0" else {}
        if not numbers:
            told.renumbered = [
                f"{index} is {one.name}"
                for index, one in enumerate(writer.sources)
                if one.number is not None and one.number != index
            ]
        losses = told.sentences(options)
        if options.version == "v3.0":
            regrouped = convert_version(work, folder / "v3.0", "v3.0", numbers)
            losses, left_out = losses + regrouped.losses, left_out + regrouped.left_out
        for part in (folder / options.version).iterdir():
            part.rename(folder / part.name)
        for leftover in ("v2.1", "v3.0"):
            shutil.rmtree(folder / leftover, ignore_errors=True)
    return Conversion(losses, left_out)


def _first_rate_hz(recordings: Sequence[Recording]) -> float:
    """That of the first recording whose camera has one."""
    faults: list[BadInput] = []
    for recording in recordings:
        try:
            return recording.camera_rate_hz()
        except BadInput as fault:
            faults.append(fault)
    raise faults[0]


def _labels(recordings: Sequence[Recording], options: LeRobotOptions) -> Labels:
    """Those of the dataset: as asked for, or the first that a recording has."""
    found: list[Labels] = []
    for recording in recordings:
        with suppress(BadInput):  # whoever reads it will say so
            found.append(recording.labels())
    camera = options.camera or next((one.camera for one in found if one.camera), "observation.images.head")
    robot = options.robot or next((one.robot for one in found if one.robot), "unknown")
    return Labels(camera, robot, () if options.task is None else (options.task,))


def _own_numbers(sources: Sequence[Recording]) -> dict[int, int]:
    """{episode: number of its recording}; none where a number is missing or would stand twice."""
    numbers = {index: one.number for index, one in enumerate(sources) if one.number is not None}
    return numbers if len(set(numbers.values())) == len(sources) else {}


def _write(recording: Recording, writer: "_Writer", fps: float, before: _Told) -> _Told:
    """Write one. Returns what was lost `before` and on the way of this one."""
    told = deepcopy(before)
    rows, report = read_timeline(recording.name, _noting_precision(recording.events(), told), fps, "at_frame")
    bounds = np.append(np.unique(rows.segments, return_index=True)[1], len(rows.stamps_ns))
    stretches = [(int(a), int(b)) for a, b in pairwise(bounds) if b - a > 1]
    if not stretches:
        raise BadBag(
            f"Recording {recording.name}", expected="two frames in a row", got="none", remedy="Check its times."
        )
    if len(stretches) > 1:
        told.split.append(recording.name)
    told.without |= {
        key for key, some in (("observation.state", rows.states), ("action", rows.commands)) if some is None
    }
    told.beside |= set(recording.extras())
    told.renamed |= set(writer.renamed(recording.labels()))
    if len(tasks := writer.labels.tasks or recording.labels().tasks) > 1:
        told.several_tasks.append(recording.name)
    told.bad, told.first_fault = told.bad + report.bad, told.first_fault or report.first_fault
    told.late += report.late
    stamps = rows.stamps_ns
    told.held += sum(int((np.diff(stamps[a:b]) == 0).sum()) for a, b in stretches)
    pictures = _Matched(recording.camera_frames(), stamps)
    for first, end in stretches:
        grid = stamps[first] + np.rint(np.arange(end - first) * 1e9 / fps).astype(np.int64)
        told.worst_shift_ns = max(told.worst_shift_ns, int(np.abs(stamps[first:end] - grid).max()))
        told.psnr += writer.add(recording, tasks or ("",), rows, first, end, pictures)
    told.left_out += pictures.rest()
    return told


class _Writer:
    """Writes v2.1, one episode at a time."""

    def __init__(self, folder: Path, fps: float, options: LeRobotOptions, labels: Labels) -> None:
        self._folder, self._fps, self._options, self.labels = folder, fps, options, labels
        self._names: tuple[tuple[str, ...], tuple[str, ...]] | None = None
        self._shape: tuple[int, ...] = ()
        self._frames = 0
        self._lines: list[dict[str, Any]] = []
        self._stats: list[dict[str, Any]] = []
        self._tasks: dict[str, int] = {}  # {task: its index}
        self.sources: list[Recording] = []  # of each episode

    @contextmanager
    def whole_recording(self) -> Iterator[None]:
        """What the block adds stays when it ends well; otherwise all of it is taken back."""
        names, shape, frames, tasks, count = self._names, self._shape, self._frames, dict(self._tasks), len(self._lines)
        try:
            yield
        except BaseException:
            for number in range(count, len(self._lines) + 1):  # the last may be half written
                for kind in V2_PATHS:
                    self._path(kind, number).unlink(missing_ok=True)
            self._names, self._shape, self._frames, self._tasks = names, shape, frames, tasks
            for rows in (self._lines, self._stats, self.sources):
                del rows[count:]
            raise

    def renamed(self, labels: Labels) -> list[str]:
        """Names of a recording that are others in the dataset, though no one asked for that."""
        kinds = (
            ("camera", labels.camera, self.labels.camera, self._options.camera),
            ("robot", labels.robot, self.labels.robot, self._options.robot),
        )
        return [f"{kind} `{own}` is `{its}`" for kind, own, its, asked in kinds if own and own != its and not asked]

    def add(
        self, recording: Recording, tasks: Sequence[str], rows: Timeline, first: int, end: int, pictures: "_Matched"
    ) -> list[float]:
        """Append rows first .. end - 1. Returns the PSNR of the probes, inf where not one bit changed."""
        name = recording.name
        names = (rows.state_names, rows.command_names)
        if self._names is not None and names != self._names:
            raise BadBag(
                f"Recording {name}",
                expected=f"the joints of the first: {', '.join(self._names[0] or self._names[1])}",
                got=", ".join(names[0] or names[1]),
                remedy="Convert different robots into different datasets.",
            )
        number, length = len(self._lines), end - first
        video = self._path("video_path", number)
        video.parent.mkdir(parents=True, exist_ok=True)
        probes: dict[int, NDArray[np.uint8]] = {}
        step = -(-length // _PROBES)
        with FrameEncoder(video, self._fps, self._options.codec) as encoder:
            for row in range(first, end):
                rgb = pictures.at(row)
                if self._shape and rgb.shape != self._shape:
                    raise BadBag(
                        name, expected=list(self._shape), got=list(rgb.shape), remedy="Record one camera mode."
                    )
                encoder.write(rgb)
                if (row - first) % step == 0:
                    probes[row - first] = rgb
        self._names, self._shape = names, rgb.shape
        for task in tasks:
            self._tasks.setdefault(task, len(self._tasks))
        stats = self._write_table(rows, first, end, number, self._tasks[tasks[0]])
        stats[self.labels.camera] = picture_stats([rgb[::4, ::4] for rgb in probes.values()])
        self._lines.append({"episode_index": number, "tasks": list(tasks), "length": length, "source": name})
        self.sources.append(recording)
        self._stats.append({"episode_index": number, "stats": stats})
        self._frames += length
        decoded = {index: rgb for index, (_, rgb) in enumerate(VideoSpan(video).decode()) if index in probes}
        return [_psnr(decoded[index], rgb) for index, rgb in probes.items()]

    def finish(self) -> None:
        meta = self._folder / "meta"
        meta.mkdir()
        for file, lines in (
            ("episodes.jsonl", self._lines),
            ("episodes_stats.jsonl", self._stats),
            ("tasks.jsonl", [{"task_index": index, "task": task} for task, index in self._tasks.items()]),
        ):
            (meta / file).write_text("".join(json.dumps(line) + "\n" for line in lines))
        assert self._names is not None
        height, width = self._shape[:2]
        fps = int(self._fps) if self._fps == int(self._fps) else self._fps
        facts = {"video.height": height, "video.width": width, "video.codec": self._options.codec, "video.fps": fps}
        facts |= {"video.channels": 3, "video.is_depth_map": False, "has_audio": False}
        features: dict[str, Any] = {
            key: {"dtype": "float32", "shape": [len(names)], "names": list(names)}
            for key, names in zip(("observation.state", "action"), self._names, strict=True)
            if names
        }
        features[self.labels.camera] = {
            "dtype": "video",
            "shape": [height, width, 3],
            "names": ["height", "width", "channels"],
            "info": facts,
        }
        for key in ("timestamp", "frame_index", "episode_index", "index", "task_index"):
            features[key] = {"dtype": "float32" if key == "timestamp" else "int64", "shape": [1], "names": None}
        info = {
            "codebase_version": "v2.1",
            "robot_type": self.labels.robot,
            "total_episodes": len(self._lines),
            "total_frames": self._frames,
            "total_tasks": len(self._tasks),
            "total_videos": len(self._lines),
            "total_chunks": (len(self._lines) - 1) // 1000 + 1,
            "chunks_size": 1000,
            "fps": fps,
            "splits": {"train": f"0:{len(self._lines)}"},
            **V2_PATHS,
            "features": features,
        }
        (meta / "info.json").write_text(json.dumps(info, indent=4) + "\n")

    def _write_table(self, rows: Timeline, first: int, end: int, number: int, task: int) -> dict[str, FeatureStats]:
        count = np.arange(end - first, dtype=np.int64)
        columns: dict[str, NDArray] = {}
        for key, values in (("observation.state", rows.states), ("action", rows.commands)):
            if values is not None:
                columns[key] = values[first:end]
        columns |= {
            "timestamp": (count / self._fps).astype(np.float32),
            "frame_index": count,
            "episode_index": np.full_like(count, number),
            "index": self._frames + count,
            "task_index": np.full_like(count, task),
        }
        path = self._path("data_path", number)
        path.parent.mkdir(parents=True, exist_ok=True)
        arrays = {
            key: pyarrow.array(values)
            if values.ndim == 1
            else pyarrow.FixedSizeListArray.from_arrays(values.reshape(-1), values.shape[1])
            for key, values in columns.items()
        }
        pyarrow.parquet.write_table(pyarrow.table(arrays), path)
        return {key: column_stats(values) for key, values in columns.items()}

    def _path(self, kind: str, number: int) -> Path:
        names = {"episode_chunk": number // 1000, "episode_index": number, "video_key": self.labels.camera}
        return self._folder / V2_PATHS[kind].format(**names)


class _Matched:
    """The pictures of a second pass, found again by the stamps of the first."""

    def __init__(self, pictures: Iterator[CameraFrame], stamps_ns: NDArray[np.int64]) -> None:
        self._pictures, self._stamps = pictures, stamps_ns
        self._newest: CameraFrame | None = None
        self._skipped = 0

    def at(self, row: int) -> NDArray[np.uint8]:
        while self._newest is None or self._newest.stamp_ns != self._stamps[row]:
            self._newest = next(self._pictures)
            self._skipped += self._newest.stamp_ns != self._stamps[row]
        return self._newest.rgb

    def rest(self) -> int:
        """Pictures that were no row's, those to the end included."""
        return self._skipped + sum(1 for _ in self._pictures)


def _noting_precision(events: Iterable[Event | Cut], told: _Told) -> Iterator[Event | Cut]:
    for event in events:
        if isinstance(event, Event) and event.channel != "images" and not told.rounded:
            try:
                content = event.load()
            except BadInput:
                pass  # whoever takes the event will say so
            else:
                assert isinstance(content, JointValues)
                values = np.asarray(content.positions, dtype=np.float64)
                told.rounded = bool(
                    (values[np.isfinite(values)] != values[np.isfinite(values)].astype(np.float32)).any()
                )
        yield event


def _psnr(one: NDArray[np.uint8], two: NDArray[np.uint8]) -> float:
    error = float(np.mean((one.astype(np.float64) - two) ** 2)) / 255**2
    return float("inf") if error == 0 else -10 * float(np.log10(error))
