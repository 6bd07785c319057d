"""Recordings of any kind behind one face: rosbag2 folders and files, and the episodes of LeRobot datasets."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from hwm_core.data.formats.onex_raw import OneXRawRecording, is_raw_set, open_raw
from hwm_core.data.formats.video_table import TABLE_SUFFIXES, VIDEO_SUFFIXES, VideoRecording
from hwm_core.data.lerobot.dataset import open_lerobot
from hwm_core.data.lerobot.recording import LeRobotRecording
from hwm_core.data.recording.recording import Recording
from hwm_core.data.rosbag2.reader import StampSource
from hwm_core.data.rosbag2.recording import BagRecording
from hwm_core.data.rosbag2.topics import Topics
from hwm_core.data.tokens.onex import find_token_sets
from hwm_core.data.tokens.onex_metadata import SETTINGS_FILE
from hwm_core.errors import BadBag, BadInput


@dataclass(frozen=True)
class Found:
    """What a search came upon."""

    recordings: list[Recording]
    damaged: list[tuple[Path, BadInput]]  # data sets that cannot be opened: they do not cost the others

    def usable(self) -> list[Recording]:
        """The recordings. Raises BadInput, what is wrong with the first data set, where there are none."""
        if self.damaged and not self.recordings:
            raise self.damaged[0][1]
        return self.recordings

    def left_out(self) -> list[str]:
        """The data sets that are damaged, each with the reason."""
        return [f"{path}: {fault}" for path, fault in self.damaged]


def data_sets(recordings: Iterable[Recording]) -> list[Path]:
    """The LeRobot datasets and the raw sets that recordings are of."""
    return sorted(
        {one.dataset.path for one in recordings if isinstance(one, LeRobotRecording)}
        | {one.path for one in recordings if isinstance(one, OneXRawRecording)}
    )


def joined(parts: Iterable[Found]) -> Found:
    """All of several searches."""
    parts = list(parts)
    return Found([one for part in parts for one in part.recordings], [one for part in parts for one in part.damaged])


def find_recordings(
    path: str | Path, topics: Topics, camera: str | None = None, stamps: StampSource = "header"
) -> list[Recording]:
    """As `search_recordings`. Raises BadInput where a data set is damaged, too."""
    found = search_recordings(path, topics, camera, stamps)
    if found.damaged:
        raise found.damaged[0][1]
    return found.recordings


def search_recordings(
    path: str | Path, topics: Topics, camera: str | None = None, stamps: StampSource = "header"
) -> Found:
    """What `path` holds, by name: a recording, a dataset, or a folder of them at any depth.

    Raises:
        BadBag: nothing to read there, or tokens in place of pictures.
    """
    path = Path(path)
    found = recordings_in(path, topics, camera, stamps)
    if not found.recordings and not found.damaged:
        if find_token_sets(path):
            raise BadBag(
                f"Source {path}",
                expected="pictures",
                got="tokens, as of the 1X challenge",
                remedy="Train on the tokens directly; training.inspect_data and training.verify_data read them.",
            )
        if any(one.exists() for one in (path / SETTINGS_FILE, *path.glob(f"*/{SETTINGS_FILE}"))):
            raise BadBag(
                f"Source {path}",
                expected="a whole recording or set",
                got="tokens that are not finished",
                remedy="Run `training.tokenise_data` again.",
            )
        raise BadBag(
            f"Source {path}",
            expected="a rosbag2 (metadata.yaml, .mcap, .db3), a LeRobot folder (meta/info.json), 1X's video_*.mp4 with "
            "metadata.json, a video with a .csv or .npz of its name, or a folder of them",
            got="none of these" if path.exists() else "nothing there",
            remedy="Check the path; a bag without metadata.yaml is read by naming its .mcap or .db3 file.",
        )
    return found


def recordings_in(path: str | Path, topics: Topics, camera: str | None = None, stamps: StampSource = "header") -> Found:
    """As `search_recordings`; empty where there is nothing to read."""
    path = Path(path)
    try:
        found = _here(path, topics, camera, stamps)
    except BadInput as fault:
        return Found([], [(path, fault)])
    if found or not path.is_dir():
        return Found(found, [])
    children = sorted(one for one in path.iterdir() if not one.name.startswith("."))
    return joined(recordings_in(child, topics, camera, stamps) for child in children)


def _here(path: Path, topics: Topics, camera: str | None, stamps: StampSource) -> list[Recording]:
    """What `path` is itself."""
    if (path / "meta" / "info.json").exists():
        dataset = open_lerobot(path)
        return [LeRobotRecording(dataset, number, camera) for number in dataset.episodes]
    if path.suffix in (".mcap", ".db3") or (path / "metadata.yaml").exists():
        return [BagRecording(path, topics, stamps)]
    if is_raw_set(path):
        return [*open_raw(path)]
    if path.suffix in VIDEO_SUFFIXES:
        tables = [path.with_suffix(suffix) for suffix in TABLE_SUFFIXES]
        found: list[Recording] = [VideoRecording(path, table) for table in tables if table.exists()]
        return found[:1]
    return []
