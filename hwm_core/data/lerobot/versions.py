"""LeRobot v2.1 <-> v3.0, all columns and cameras: tables are regrouped, videos copied without decoding."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from hwm_core.data.lerobot.dataset import LeRobotDataset, open_lerobot, tasks_of
from hwm_core.data.lerobot.episode import Row, is_video, read_row
from hwm_core.data.lerobot.metadata import read_statistics, read_tasks
from hwm_core.data.lerobot.recording import LeRobotRecording
from hwm_core.data.lerobot.writer_v2 import WriterV2
from hwm_core.data.lerobot.writer_v3 import WriterV3
from hwm_core.data.recording.conversion import Conversion, convert_each
from hwm_core.io.atomic import new_folder

Version = Literal["v2.1", "v3.0"]
# Files of meta/ that the other version has in its own way.
_META = (
    *("info.json", "stats.json", "episodes", "tasks.parquet"),
    *("episodes.jsonl", "episodes_stats.jsonl", "tasks.jsonl"),
)


@dataclass
class _Told:
    """What a format could not keep, or what a source should not have had."""

    moved: list[float] = field(default_factory=list)  # s, of each episode
    irregular: dict[int, float] = field(default_factory=dict)  # {episode: s}
    not_finite: dict[str, list[int]] = field(default_factory=dict)  # {column: episodes}
    several_tasks: list[int] = field(default_factory=list)

    def hear(self, row: Row) -> None:
        self.moved += [row.moved_s] if row.moved_s else []
        self.irregular |= {row.number: row.irregular_s} if row.irregular_s else {}
        for name in row.not_finite:
            self.not_finite.setdefault(name, []).append(row.number)

    def sentences(self, fps: float) -> list[str]:
        told = []
        if self.moved:
            told.append(
                f"where timestamps began: in {len(self.moved)} episodes they stood {max(self.moved, key=abs):+.4f} s "
                "off row / fps, and are counted from 0, because LeRobot looks pictures up by them"
            )
        if self.irregular:
            told.append(
                f"no fixed rate: timestamps leave the {fps:g} Hz grid by up to {max(self.irregular.values()):.4f} s in "
                f"{_listed(self.irregular)}; they are as they were, and LeRobot looks pictures up by them"
            )
        if self.several_tasks:
            told.append(f"which frame is of which task: all are given the first of {_listed(self.several_tasks)}")
        return told + [
            f"nothing of NaN or infinity in `{name}` of {_listed(numbers)}: mend them before training"
            for name, numbers in self.not_finite.items()
        ]


def convert_version(
    source: str | Path, target: str | Path, version: Version, numbers: Mapping[int, int] | None = None
) -> Conversion:
    """Write `source` again in the other format; the folder appears whole or not at all.

    An episode whose files do not fit each other, or what info.json says of them, is left out.

    Args:
        numbers: {episode of `source`: number that v3.0 shall keep for it}; absent: its own.

    Returns:
        What the format could not keep, and episodes left out.

    Raises:
        BadBag: the source is damaged, no episode is usable, or `target` exists.
    """
    dataset = open_lerobot(source)
    known, tasks = read_statistics(dataset.path), tasks_of(dataset)
    unnamed = not read_tasks(dataset.path)
    task_index = {task: index for index, task in tasks.items()}
    told = _Told()
    with new_folder(target) as folder:
        (folder / "meta").mkdir()
        writer = WriterV3(dataset, folder, numbers or {}) if version == "v3.0" else WriterV2(dataset, folder)
        cameras = dataset.cameras if version == "v3.0" else ()

        def convert(recording: LeRobotRecording) -> None:
            number = recording.episode
            own = dataset.entry(number).tasks if unnamed else ()
            row = read_row(dataset, number, known.get(number), task_index[own[0]] if own else None, cameras)
            writer.add(row)
            told.hear(row)
            told.several_tasks += [number] if len(own) > 1 else []

        left_out = convert_each([LeRobotRecording(dataset, number) for number in dataset.episodes], convert)
        writer.finish(tasks)
    losses = [*writer.losses(), *told.sentences(dataset.fps), *_left_behind(dataset)]
    return Conversion(losses, left_out)


def _left_behind(dataset: LeRobotDataset) -> list[str]:
    """What of the source is in no version's files."""
    absent = [
        key for key, feature in dataset.info["features"].items() if is_video(feature) and key not in dataset.cameras
    ]
    told = [f"`{key}`, which {dataset.path.name} names without files, is left out" for key in absent]
    others = [one.name for one in dataset.path.iterdir() if one.name not in ("data", "meta", "videos")]
    others += [f"meta/{one.name}" for one in (dataset.path / "meta").iterdir() if one.name not in _META]
    kept = sorted(name for name in others if not name.startswith("."))
    return told + ([f"not carried over: {', '.join(kept)}"] if kept else [])


def _listed(numbers: Iterable[int]) -> str:
    """Of the episodes, the first few."""
    some = list(numbers)
    return "episodes " + ", ".join(map(str, some[:5])) + (f" and {len(some) - 5} more" if len(some) > 5 else "")
