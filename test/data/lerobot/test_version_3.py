"""Reading and writing LeRobot v3.0: many episodes in one table and one video."""

import json
import shutil

import numpy as np
import pyarrow.parquet
import pytest
from command import hwm
from lerobot_sets import change_rows
from recordings import NAMES, PREPROCESSING, lerobot_dataset, real_data, recording_at

from hwm_core.data.checks.verification import verify_metadata
from hwm_core.data.lerobot.dataset import open_lerobot
from hwm_core.data.lerobot.recording import LeRobotRecording
from hwm_core.data.lerobot.stats import column_stats, pool_stats
from hwm_core.data.lerobot.versions import convert_version
from hwm_core.data.recording.conversion import Conversion
from hwm_core.errors import BadBag

EPISODES = "meta/episodes/chunk-000/file-000.parquet"
VIDEO = "videos/observation.images.head/chunk-000/file-000.mp4"
TABLE = "data/chunk-000/file-000.parquet"


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("built")
    lerobot_dataset(folder / "old" / "set", (0, 3, 5))
    convert_version(folder / "old" / "set", folder / "new" / "set", "v3.0")
    return folder


@pytest.fixture
def old(built, tmp_path):
    return shutil.copytree(built / "old" / "set", tmp_path / "old" / "set")


@pytest.fixture
def new(built, tmp_path):
    return shutil.copytree(built / "new" / "set", tmp_path / "new" / "set")


def same(one, two):
    fields = ("frames", "stamps_ns", "segments", "states", "commands")
    return one.name == two.name and all(np.array_equal(getattr(one, f), getattr(two, f)) for f in fields)


def test_episodes_in_shared_files_are_read_as_from_separate_files_bit_for_bit(old, new):
    before, after = open_lerobot(old), open_lerobot(new)
    assert after.version == "v3.0" and after.episodes == (
        0,
        3,
        5,
    )  # as in the source
    assert (after.cameras, after.state_names) == (("observation.images.head",), NAMES)
    assert len(list((new / "videos").rglob("*.mp4"))) == len(list((new / "data").rglob("*.parquet"))) == 1
    for number in before.episodes:
        assert same(
            LeRobotRecording(before, number).read(PREPROCESSING)[0],
            LeRobotRecording(after, number).read(PREPROCESSING)[0],
        )


def test_the_round_trip_through_v3_keeps_every_frame_row_and_task(old, new, tmp_path):
    assert convert_version(new, tmp_path / "again" / "set", "v2.1") == Conversion(losses=[], left_out=[])
    before, after = open_lerobot(old), open_lerobot(tmp_path / "again" / "set")
    assert after.episodes == before.episodes
    for number in before.episodes:
        assert same(
            LeRobotRecording(before, number).read(PREPROCESSING)[0],
            LeRobotRecording(after, number).read(PREPROCESSING)[0],
        )
        assert after.entry(number).tasks == before.entry(number).tasks


STATS = {"min": [0, 0], "max": [1, 1], "mean": [0.5, 0.5], "std": [0.1, 0.1], "count": [20]}
META = {"v2.1": ["tasks.jsonl", "episodes_stats.jsonl"], "v3.0": ["tasks.parquet"]}


@pytest.mark.parametrize(("version", "file"), [(version, file) for version, files in META.items() for file in files])
@pytest.mark.parametrize("share", [0.3, 0.9])
def test_truncated_tasks_and_statistics_are_rejected_by_the_conversion_and_found_by_verify(
    new, tmp_path, version, file, share
):
    folder = new
    if version == "v2.1":
        convert_version(new, folder := tmp_path / "set", version)
    truncated = folder / "meta" / file
    assert not [one for one in verify_metadata(folder) if one.level == "fault"]
    truncated.write_bytes(truncated.read_bytes()[: int(share * truncated.stat().st_size)])
    with pytest.raises(BadBag, match=f"{file}.*truncated"):
        convert_version(folder, tmp_path / "other", "v3.0" if version == "v2.1" else "v2.1")
    assert not (tmp_path / "other").exists()
    (fault,) = [one.text for one in verify_metadata(folder) if one.level == "fault"]
    assert file in fault


@pytest.mark.parametrize(
    ("file", "line", "message"),
    [
        ("tasks.jsonl", {"task": "pick"}, "line 2: key `task_index`"),
        ("episodes_stats.jsonl", {"episode_index": 0, "stats": {"action": {"min": [0]}}}, "max, mean, std, count"),
        *(
            ("episodes_stats.jsonl", {"episode_index": 0, "stats": {"action": {**STATS, key: value}}}, "of one shape")
            for key, value in (
                ("min", [[0]]),
                ("mean", [None]),
                ("std", ["x"]),
                ("max", []),
                ("count", [1, 2]),
                ("count", [0]),
            )
        ),
        ("episodes_stats.jsonl", {"episode_index": 3, "stats": {"index": STATS}}, r"expected values \[1\], got \[2\]"),
        ("episodes.jsonl", {"tasks": []}, "line 2: key `episode_index`"),
    ],
)
def test_an_invalid_line_of_metadata_is_rejected_with_its_number(old, tmp_path, file, line, message):
    one = {key: [1] for key in STATS}
    good = {"task_index": 0, "task": "", "episode_index": 0, "stats": {"index": one}}
    (old / "meta" / file).write_text("".join(json.dumps(one) + "\n" for one in (good, line)))
    with pytest.raises(BadBag, match=message):
        convert_version(old, tmp_path / "other", "v3.0")


def test_what_v3_cannot_keep_is_reported(old, tmp_path):
    (old / "meta/modality.json").write_text("{}")
    (old / "LICENSE").touch()
    numbers, absent, files = convert_version(old, tmp_path / "other", "v3.0").losses
    assert "source_episode_index" in numbers
    assert "observation.images.absent" in absent
    assert files == "not carried over: LICENSE, meta/modality.json"


def test_info_counts_what_was_written_and_rows_are_numbered_consecutively(new):
    info = json.loads((new / "meta/info.json").read_text())
    assert (info["total_episodes"], info["total_frames"]) == (3, 60)
    assert "observation.images.absent" not in info["features"]
    table = pyarrow.parquet.read_table(new / TABLE)
    assert table["index"].to_pylist() == list(range(60))
    assert table["episode_index"].to_pylist() == [0] * 20 + [1] * 20 + [2] * 20


def test_pooled_statistics_equal_the_statistics_of_all_rows(new):
    values = np.random.default_rng(0).normal(size=(100, 3)) * [1, 2, 3]
    parts = [column_stats(values[:10]), column_stats(values[10:40]), column_stats(values[40:])]
    whole = column_stats(values)
    assert all(np.allclose(pool_stats(parts)[key], whole[key]) for key in whole)
    stats = json.loads((new / "meta/stats.json").read_text())
    assert stats["action"]["max"] == [19, 19, 19] and stats["action"]["count"] == [60]
    assert np.shape(stats["observation.images.head"]["mean"]) == (3, 1, 1)


def test_pandas_reads_the_tasks_as_the_index(new):
    pandas = pytest.importorskip("pandas")
    assert list(pandas.read_parquet(new / "meta/tasks.parquet").columns) == ["task_index"]


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9])
@pytest.mark.parametrize("file", [VIDEO, TABLE, EPISODES])
def test_a_truncated_file_is_rejected(new, file, share):
    damaged = new / file
    damaged.write_bytes(damaged.read_bytes()[: int(share * damaged.stat().st_size)])
    with pytest.raises(BadBag, match=r"expected .* got"):
        recording_at(new, 5).read(PREPROCESSING)


def test_a_conversion_that_fails_leaves_nothing_behind(old, tmp_path):
    for video in old.rglob("*.mp4"):
        video.write_bytes(video.read_bytes()[:800])
    with pytest.raises(BadBag, match=r"at least one usable recording.*episode_000003\.mp4"):
        convert_version(old, tmp_path / "out" / "new", "v3.0")
    assert not list((tmp_path / "out").iterdir())
    with pytest.raises(BadBag, match="a new path"):
        convert_version(old, old, "v3.0")


def test_an_episode_with_missing_rows_is_rejected(new):
    table = pyarrow.parquet.read_table(new / TABLE)
    pyarrow.parquet.write_table(table.slice(0, 55), new / TABLE)
    assert len(recording_at(new, 3).read(PREPROCESSING)[0]) == 19
    with pytest.raises(BadBag, match="15 rows of episode 2, not 20"):
        recording_at(new, 5).read(PREPROCESSING)


def test_an_episode_whose_video_span_does_not_fit_its_rows_is_left_out_and_the_others_are_read(new):
    rows = pyarrow.parquet.ParquetFile(new / EPISODES).read().to_pylist()
    rows[1]["videos/observation.images.head/to_timestamp"] += 0.1
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), new / EPISODES)
    dataset = open_lerobot(new)
    ((name, fault),) = dataset.left_out.items()
    assert name not in {f"episode {number}" for number in dataset.episodes} and "23.00 frames between" in str(fault)
    assert len(recording_at(new, dataset.episodes[0]).read(PREPROCESSING)[0]) == 19


@pytest.mark.realdata
def test_joining_av1_videos_of_g1_changes_no_pixel(tmp_path):
    source = tmp_path / "g1"
    for folder in ("meta", "data/chunk-000", "videos/chunk-000/observation.images.cam_high"):
        (source / folder).mkdir(parents=True)
        for file in (real_data("g1_yellow_bottle") / folder).iterdir():
            if file.is_file() and (folder == "meta" or file.stem in ("episode_000029", "episode_000012")):
                (source / folder / file.name).symlink_to(file)
    convert_version(source, tmp_path / "new", "v3.0")
    before, after = open_lerobot(source), open_lerobot(tmp_path / "new")
    one, two = (LeRobotRecording(some, 29).read(PREPROCESSING)[0] for some in (before, after))
    assert np.array_equal(one.frames, two.frames) and np.array_equal(one.states, two.states)


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("data/file_index", "tables of all 3 episodes that meta/episodes lists, got no table of episode 3."),
        ("videos/observation.images.head/file_index", "expected a video of `observation.images.head`"),
    ],
)
def test_an_episode_whose_file_is_absent_is_listed_by_every_command(new, tmp_path, capsys, key, said):
    change_rows(new, lambda rows: rows[1].update({key: 7}))
    for words in (
        ("verify", new),
        ("convert", new, "--to", "lerobot-v2.1", "--out", tmp_path / "v2"),
        ("inspect", new),
    ):
        assert hwm(*words) != 0
        assert said in "".join(capsys.readouterr()), words
    # The images of episode 5 follow a hole where the video of episode 3 is elsewhere.
    assert open_lerobot(tmp_path / "v2").episodes == ((0, 5) if key.startswith("data") else (0,))


def test_a_split_without_recordings_names_what_was_skipped(new, tmp_path, capsys):
    change_rows(new, lambda rows: rows[1].update({"data/file_index": 7}))
    assert hwm("prepare", new, "--robot", "r", "--validation-nth", 5, "--out", tmp_path / "store") == 2
    said = capsys.readouterr().err
    assert "got 0 for training, 2 for validation, 1 skipped, the first: set episode 3: " in said
