"""The frames of an episode of v3.0 are its own: never those of a neighbour in the same file."""

import shutil

import numpy as np
import pyarrow.parquet
import pytest
from recordings import PREPROCESSING, lerobot_dataset, recording_at, write_video

from hwm_core.data.checks.verification import verify_metadata
from hwm_core.data.lerobot.dataset import open_lerobot
from hwm_core.data.lerobot.versions import convert_version
from hwm_core.errors import BadBag

EPISODES = "meta/episodes/chunk-000/file-000.parquet"
KEY = "videos/observation.images.head"
VIDEO = f"{KEY}/chunk-000/file-000.mp4"
FRAMES, FPS = 20, 30


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("built")
    lerobot_dataset(folder / "old", (0, 1, 2), FRAMES)
    convert_version(folder / "old", folder / "new", "v3.0")
    return folder / "new"


@pytest.fixture
def dataset(built, tmp_path):
    return shutil.copytree(built, tmp_path / "set")


def shift(dataset, starts=(0, 0, 0), ends=None):
    """Move the starts and ends of the three episodes by frames; `ends` None moves them as the starts."""
    rows = pyarrow.parquet.ParquetFile(dataset / EPISODES).read().to_pylist()
    for row, start, end in zip(rows, starts, ends or starts, strict=True):
        row[f"{KEY}/from_timestamp"] += start / FPS
        row[f"{KEY}/to_timestamp"] += end / FPS
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), dataset / EPISODES)
    return dataset


def left_out(dataset):
    return [int(name.split()[1]) for name in open_lerobot(dataset).left_out]


@pytest.mark.parametrize(
    ("starts", "ends", "expected"),
    [
        ((0, 0, 0), None, []),
        ((0, 0.6, 0.6), None, [1, 2]),  # between two frames
        ((0, 0.5, 0), None, [1]),
        ((0, -1, -1), None, [1, 2]),  # one frame inside the neighbour
        ((0, -1, 0), None, [1]),
        ((0, 1, 0), None, [1]),  # after a hole, and inside the next one
        ((0, 2, 2), None, [1, 2]),  # after a hole
        ((1, 0, 0), None, [0]),
        ((0, 0, 0), (0, 1, 0), [1]),  # more frames than rows
        ((0, 0, 0), (0, 0, -1), [2]),
        ((0, 0.01, 0), None, [1]),  # 3.3e-4 s late
        ((0, 0.002, -0.002), None, []),  # within LeRobot's tolerance
        ((0, np.nan, 0), None, [1]),
    ],
)
def test_an_episode_whose_span_does_not_continue_its_file_is_left_out(dataset, starts, ends, expected):
    assert left_out(shift(dataset, starts, ends)) == expected
    for number in {0, 1, 2} - {*expected}:
        episode, _ = recording_at(dataset, number).read(PREPROCESSING)
        # Frame t of every episode has the grey value 10 t.
        assert np.abs(episode.frames[:, 0, 0, 0].astype(int) - 10 * np.arange(1, FRAMES)).max() <= 4


def test_the_fault_states_both_places(dataset):
    shift(dataset, (0, -1, 0))
    (fault,) = open_lerobot(dataset).left_out.values()
    assert "frame 19 (0.6333 s), inside the episode before, which ends before frame 20" in str(fault)


def test_the_frames_of_a_damaged_row_still_count(dataset):
    rows = pyarrow.parquet.ParquetFile(dataset / EPISODES).read().to_pylist()
    rows[1]["data/chunk_index"] = None
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), dataset / EPISODES)
    assert left_out(dataset) == [1]
    assert len(recording_at(dataset, 2).read(PREPROCESSING)[0]) == FRAMES - 1


def test_a_video_whose_frames_have_other_times_is_rejected(dataset):
    write_video(dataset / VIDEO, 3 * FRAMES, "mpeg4", rate=29)
    with pytest.raises(BadBag, match=r"frame 1 after 0\.0000 s at 0\.0333 s, got 0\.0345 s"):
        recording_at(dataset, 0).read(PREPROCESSING)


def test_frames_that_belong_to_no_episode_are_noted(dataset):
    write_video(dataset / VIDEO, 3 * FRAMES + 1, "mpeg4")
    (note,) = [one for one in verify_metadata(dataset) if "has 61 frames" in one.text]
    assert note.level == "note" and "end at 60" in note.text
