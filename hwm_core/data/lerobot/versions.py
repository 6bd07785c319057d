"""Converts a LeRobot dataset from v2.1 to v3.0 or back, with all columns and cameras.

Tables are regrouped. Videos are copied without decoding.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from hwm_core.data.lerobot.checked_episode import read_checked_episode
from hwm_core.data.lerobot.dataset import LeRobotDataset, open_lerobot
from hwm_core.data.lerobot.info_file import KeptFeatures, kept_features
from hwm_core.data.lerobot.metadata import is_video, read_statistics, statistics_faults
from hwm_core.data.lerobot.recording import LeRobotRecording
from hwm_core.data.lerobot.writer_v2 import WriterV2
from hwm_core.data.lerobot.writer_v3 import WriterV3
from hwm_core.data.recording.conversion import Conversion, convert_each
from hwm_core.io.atomic import new_folder

Version = Literal["v2.1", "v3.0"]
# Files of meta/ that each version has in its own form.
_META = (
    *("info.json", "stats.json", "episodes", "tasks.parquet"),
    *("episodes.jsonl", "episodes_stats.jsonl", "tasks.jsonl"),
)


def convert_version(
    source: str | Path, target: str | Path, version: Version, numbers: Mapping[int, int] | None = None
) -> Conversion:
    """Write a dataset in another format version; the folder appears whole or not at all.

    Episodes whose files do not fit each other or info.json are left out.

    Args:
        source: folder of the dataset.
        target: folder to create.
        version: to write.
        numbers: {episode of `source`: number that v3.0 records for it}; without an entry, the episode's own number.

    Returns:
        What the format cannot keep, and the episodes left out.

    Raises:
        BadBag: the tasks or statistics are damaged, no episode is usable, or `target` exists.
    """
    dataset = open_lerobot(source)
    if faults := [*dataset.metadata_faults(), *statistics_faults(dataset.path)]:
        raise faults[0]
    stats, tasks = read_statistics(dataset.path), dataset.tasks()
    task_index = {task: index for index, task in tasks.items()}
    without_task_file = not dataset.task_texts
    losses: list[_EpisodeLosses] = []
    with new_folder(target) as folder:
        (folder / "meta").mkdir()
        kept = kept_features(dataset, version)
        writer = (
            WriterV3(dataset, folder, kept, numbers or {}) if version == "v3.0" else WriterV2(dataset, folder, kept)
        )

        def convert(recording: LeRobotRecording) -> None:
            number = recording.episode
            listed = dataset.entry(number).tasks if without_task_file else ()
            task = task_index[listed[0]] if listed else None
            episode = read_checked_episode(dataset, number, stats.get(number), task, kept, dataset.video_keys)
            writer.add(episode)
            losses.append(
                _EpisodeLosses(
                    number,
                    episode.offset_s,
                    episode.irregular_s,
                    episode.not_finite,
                    len(listed) > 1,
                    episode.time_remark,
                )
            )

        left_out = [f"{dataset.path.name} {name}: {fault}" for name, fault in dataset.left_out.items()]
        left_out += convert_each([LeRobotRecording(dataset, number) for number in dataset.episodes], convert)
        writer.finish(tasks)
    return Conversion([*writer.losses(), *_sentences(losses, dataset.fps), *_not_carried(dataset, kept)], left_out)


@dataclass(frozen=True)
class _EpisodeLosses:
    """What one episode loses, and its irregularities."""

    number: int
    offset_s: float
    irregular_s: float
    not_finite: tuple[str, ...]
    several_tasks: bool
    time_remark: str


def _sentences(losses: Sequence[_EpisodeLosses], fps: float) -> list[str]:
    """The losses of all episodes, one sentence for each kind."""
    found: list[str] = []
    if offsets := [one.offset_s for one in losses if one.offset_s]:
        found.append(
            f"a constant offset of the timestamps, {max(offsets, key=abs):+.4f} s, in {len(offsets)} episodes: they "
            "now start at 0, because LeRobot finds images by row / fps"
        )
    for remark in dict.fromkeys(one.time_remark for one in losses if one.time_remark):
        spelled = _listed(one.number for one in losses if one.time_remark == remark)
        found.append(f"the spelling of time: {remark} in {spelled}; they are in seconds now")
    if irregular := [one for one in losses if one.irregular_s]:
        worst = max(one.irregular_s for one in irregular)
        found.append(
            f"no timestamps, but they deviate from the {fps:g} Hz grid by up to {worst:.4f} s in "
            f"{_listed(one.number for one in irregular)}, and LeRobot finds images by row / fps"
        )
    if several := [one.number for one in losses if one.several_tasks]:
        found.append(f"the task of each frame: every frame has the first task of {_listed(several)}")
    for name in dict.fromkeys(name for one in losses for name in one.not_finite):
        numbers = (one.number for one in losses if name in one.not_finite)
        found.append(f"no values, but `{name}` has NaN or infinity in {_listed(numbers)}: repair it before training")
    return found


def _not_carried(dataset: LeRobotDataset, kept: KeptFeatures) -> list[str]:
    """Parts of the source that the new version does not keep."""
    absent = [
        key for key, feature in dataset.info["features"].items() if is_video(feature) and key not in dataset.video_keys
    ]
    found = [f"the camera `{key}`: {dataset.path.name} lists it, but has no video of it" for key in absent]
    found_columns = [f"the column `{key}`: {why}" for key, why in kept.left_out.items()]
    others = [one.name for one in dataset.path.iterdir() if one.name not in ("data", "meta", "videos")]
    others += [f"meta/{one.name}" for one in (dataset.path / "meta").iterdir() if one.name not in _META]
    files = sorted(name for name in others if not name.startswith("."))
    return found + found_columns + ([f"not carried over: {', '.join(files)}"] if files else [])


def _listed(numbers: Iterable[int]) -> str:
    """The first few episodes."""
    some = list(numbers)
    return "episodes " + ", ".join(map(str, some[:5])) + (f" and {len(some) - 5} more" if len(some) > 5 else "")
