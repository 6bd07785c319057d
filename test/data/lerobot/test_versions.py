"""Conversion between LeRobot versions: checks, corrections, and reports."""

import json
import re

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from recordings import lerobot_dataset, write_video

from hwm_core.data.checks.verification import verify_metadata, verify_recording
from hwm_core.data.discover import find_recordings
from hwm_core.data.lerobot.dataset import open_lerobot
from hwm_core.data.lerobot.metadata import read_statistics, whole_number
from hwm_core.data.lerobot.stats import column_stats
from hwm_core.data.lerobot.tables import read_table
from hwm_core.data.lerobot.versions import convert_version
from hwm_core.data.rosbag2.topics import Topics
from hwm_core.errors import BadBag

CAMERA = "observation.images.head"
VIDEO = f"videos/chunk-000/{CAMERA}/episode_{{:06d}}.mp4"
TABLE = "data/chunk-000/episode_{:06d}.parquet"
INT = {"dtype": "int64", "shape": [1], "names": None}


@pytest.fixture
def folder(tmp_path):
    """A dataset of the episodes 0 and 1, of 20 rows."""
    return lerobot_dataset(tmp_path / "set", (0, 1))


def change_info(folder, **changes):
    info = json.loads((folder / "meta/info.json").read_text())
    (folder / "meta/info.json").write_text(json.dumps({**info, **changes}))


def change_features(folder, **changes):
    change_info(folder, features={**json.loads((folder / "meta/info.json").read_text())["features"], **changes})


def change_table(folder, number, change):
    path = folder / TABLE.format(number)
    pyarrow.parquet.write_table(change(pyarrow.parquet.read_table(path)), path)


def with_column(folder, number, name, values):
    def change(table):
        table = table.drop_columns([name]) if name in table.column_names else table
        return table.append_column(name, pyarrow.array(values))

    change_table(folder, number, change)


def write_lines(folder, name, lines):
    (folder / f"meta/{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def truncate_last_frame(folder):
    """Remove the end of the last frame from an MP4 whose index precedes its frames."""
    path = folder / VIDEO.format(0)
    write_video(path, 20, "mpeg4", movflags="faststart")
    path.write_bytes(path.read_bytes()[:-10])


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: change_table(folder, 0, lambda table: table.slice(0, 15)), "expected 15 frames.*got 20"),
        (lambda folder: write_video(folder / VIDEO.format(0), 15, "mpeg4"), "expected 20 frames.*got 15"),
        (lambda folder: change_table(folder, 0, lambda table: table.slice(0, 0)), "expected rows, got none"),
        (lambda folder: change_table(folder, 0, lambda table: table.drop_columns(["action"])), "the column action"),
        (lambda folder: change_table(folder, 0, lambda table: table.drop_columns(["timestamp"])), "column timestamp"),
        (
            lambda folder: with_column(folder, 0, "action", [[0.0, 0.0]] * 20),
            "`action`: expected 3 values a row.*got 2",
        ),
        (lambda folder: with_column(folder, 0, "action", [[0.0]] + [[0.0] * 3] * 19), "`action`.*got 1 or 3"),
        (
            lambda folder: with_column(folder, 0, "timestamp", [np.nan] * 20),
            "one time in each row.*got no number in row 0",
        ),
        (truncate_last_frame, "expected 20 whole frames, got a truncated frame at 0.633 s"),
    ],
)
@pytest.mark.parametrize("version", ["v2.1", "v3.0"])
def test_an_episode_whose_files_contradict_each_other_or_info_is_left_out(folder, tmp_path, version, damage, message):
    damage(folder)
    done = convert_version(folder, tmp_path / "out", version)
    assert len(done.left_out) == 1 and done.left_out[0].startswith("set_000000: ")
    assert re.search(message, done.left_out[0])
    after = open_lerobot(tmp_path / "out")
    assert after.episodes == (1,) and after.info["total_episodes"] == 1 and after.info["total_frames"] == 20
    assert not [one for one in verify_metadata(tmp_path / "out") if one.level == "fault"]
    assert len(list((tmp_path / "out").rglob("*.mp4"))) == len(list((tmp_path / "out/data").rglob("*.parquet"))) == 1


@pytest.mark.parametrize("fps", [15, 60])
def test_a_wrong_fps_is_rejected_with_the_rate_of_the_video(folder, tmp_path, fps):
    change_info(folder, fps=fps)
    with pytest.raises(BadBag, match=rf"expected {fps} frames per second, the `fps` of info\.json, got 30\. Correct"):
        convert_version(folder, tmp_path / "out", "v3.0")


def test_nan_values_are_kept_and_reported_by_column_and_episode(folder, tmp_path):
    with_column(folder, 1, "action", [[np.nan, 0.0, 0.0]] + [[0.0] * 3] * 19)
    losses = convert_version(folder, tmp_path / "out", "v3.0").losses
    assert "no values, but `action` has NaN or infinity in episodes 1: repair it before training" in losses


def test_a_constant_timestamp_offset_is_removed_and_reported(folder, tmp_path):
    late = np.arange(20) / 30 + 0.05
    for number in (0, 1):
        with_column(folder, number, "timestamp", late)
    write_lines(
        folder,
        "episodes_stats",
        ({"episode_index": number, "stats": {"timestamp": column_stats(late, ["q50"])}} for number in (0, 1)),
    )
    (note,) = [one.text for one in verify_metadata(folder) if "row / fps" in one.text]
    assert note.startswith("timestamps of 2 episodes differ from row / fps") and "constant +0.0500 s" in note
    losses = convert_version(folder, tmp_path / "out", "v3.0").losses
    assert any("a constant offset of the timestamps, +0.0500 s, in 2 episodes" in one for one in losses)
    after = open_lerobot(tmp_path / "out")
    seconds = read_table(after, 1)["timestamp"].to_numpy()
    assert seconds.dtype == np.float64 and np.array_equal(seconds, np.arange(20) / 30)
    assert read_statistics(after.path)[1]["timestamp"] == column_stats(seconds, ["q50"])
    assert not [one for one in verify_metadata(after.path) if "row / fps" in one.text]


def test_timestamps_without_a_fixed_rate_are_kept_and_reported(folder, tmp_path):
    seconds = np.arange(20) / 30 + np.repeat([0, 0.02], 10)
    with_column(folder, 0, "timestamp", seconds)
    assert "timestamps deviate from the 30 Hz grid by 0.0100 s" in [one.text for one in verify_metadata(folder)]
    losses = convert_version(folder, tmp_path / "out", "v2.1").losses
    assert any("deviate from the 30 Hz grid by up to 0.0100 s in episodes 0" in one for one in losses)
    assert np.array_equal(read_table(open_lerobot(tmp_path / "out"), 0)["timestamp"].to_numpy(), seconds)


def test_statistics_with_quantiles_and_counts_survive_the_round_trip(folder, tmp_path):
    image = {key: [[[0.5]]] * 3 for key in ("min", "max", "mean", "std", "q01")} | {"count": [7]}
    action = column_stats(np.arange(60.0).reshape(20, 3), ["q01", "q99"])
    stats = {"action": action, CAMERA: image}
    write_lines(folder, "episodes_stats", ({"episode_index": number, "stats": stats} for number in (0, 1)))
    convert_version(folder, tmp_path / "new", "v3.0")
    convert_version(tmp_path / "new", tmp_path / "old", "v2.1")
    for path in (tmp_path / "new", tmp_path / "old"):
        assert read_statistics(path) == {0: stats, 1: stats}
    pooled = json.loads((tmp_path / "new/meta/stats.json").read_text())
    assert pooled[CAMERA]["count"] == [14] and pooled["action"]["q99"] == action["q99"]


def test_statistics_of_renumbered_columns_are_measured_again(folder, tmp_path):
    for number in (0, 1):
        with_column(folder, number, "task_index", [number] * 20)
    stale = {key: column_stats(np.full(20, 99.0)) for key in ("index", "episode_index", "task_index", "action")}
    write_lines(folder, "episodes_stats", ({"episode_index": number, "stats": stale} for number in (0, 1)))
    write_lines(folder, "tasks", ({"task_index": number, "task": f"task {number}"} for number in (0, 1)))
    convert_version(folder, tmp_path / "out", "v3.0")
    stats = read_statistics(tmp_path / "out")[1]
    assert [stats[key]["mean"] for key in stale] == [[29.5], [1], [1], [99]]


def test_without_a_file_of_tasks_the_tasks_of_the_episodes_are_used(folder, tmp_path):
    write_lines(
        folder,
        "episodes",
        [{"episode_index": 0, "tasks": ["wave"]}, {"episode_index": 1, "tasks": ["bow", "wave"]}],
    )
    losses = convert_version(folder, tmp_path / "out", "v2.1").losses
    assert "the task of each frame: every frame has the first task of episodes 1" in losses
    tasks = [json.loads(line) for line in (tmp_path / "out/meta/tasks.jsonl").read_text().splitlines()]
    assert tasks == [{"task_index": 0, "task": "wave"}, {"task_index": 1, "task": "bow"}]
    after = open_lerobot(tmp_path / "out")
    assert [read_table(after, number)["task_index"].to_pylist() for number in (0, 1)] == [[0] * 20, [1] * 20]


def test_task_indices_are_kept_where_no_file_describes_them(folder, tmp_path):
    for number in (0, 1):
        with_column(folder, number, "task_index", [number] * 20)
    convert_version(folder, tmp_path / "out", "v3.0")
    after = open_lerobot(tmp_path / "out")
    assert [read_table(after, number)["task_index"][0].as_py() for number in (0, 1)] == [0, 1]


@pytest.mark.parametrize("number", [0, 1])
def test_v3_leaves_out_an_episode_whose_columns_differ_from_the_first(folder, tmp_path, number):
    with_column(folder, number, "reward", [0.0] * 20)
    (left_out,) = convert_version(folder, tmp_path / "out", "v3.0").left_out
    assert left_out.startswith("set_000001: ") and "got reward in only one of the two" in left_out
    assert convert_version(folder, tmp_path / "old", "v2.1").left_out == []


def test_only_the_absent_column_is_listed(folder):
    change_table(folder, 0, lambda table: table.drop_columns(["action"]))
    (fault,) = verify_recording(find_recordings(folder, Topics())[0])
    assert "expected the column action of info.json, got no such column." in fault.text
    assert "\n" not in fault.text


@pytest.mark.parametrize(
    ("features", "message"),
    [
        ({}, f"got only observation.state, action, observation.images.absent. Download {CAMERA}."),
        ({CAMERA: {"dtype": "image"}}, f"the column {CAMERA} of info.json, got no such column"),
        ({CAMERA: INT}, "lists no camera"),
    ],
)
def test_a_dataset_without_pictures_is_rejected_with_what_it_has(folder, features, message):
    for video in folder.rglob("*.mp4"):
        video.unlink()
    change_features(folder, **{"observation.images.absent": INT, **features})
    (fault,) = verify_recording(find_recordings(folder, Topics())[0])
    assert message in fault.text


def test_all_cameras_are_verified_unless_one_is_chosen(folder):
    for number in (0, 1):
        path = folder / VIDEO.replace("head", "wrist").format(number)
        path.parent.mkdir(exist_ok=True)
        write_video(path, 20 - number, "mpeg4")
    sound, short = find_recordings(folder, Topics())
    assert [one.level for one in verify_recording(sound)] == ["note"]  # no command precedes the first frame
    (fault,) = [one for one in verify_recording(short) if one.level == "fault"]
    assert "wrist" in fault.text and "expected 20 frames" in fault.text
    chosen = find_recordings(folder, Topics(), CAMERA)[1]
    assert [one.level for one in verify_recording(chosen)] == ["note"]


@pytest.mark.parametrize("file", ["tasks.parquet", "stats.json"])
def test_verify_finds_absent_tasks_and_truncated_statistics_of_v3(folder, tmp_path, file):
    convert_version(folder, tmp_path / "out", "v3.0")
    path = tmp_path / "out/meta" / file
    path.unlink() if file == "tasks.parquet" else path.write_bytes(path.read_bytes()[:-20])
    (fault,) = [one.text for one in verify_metadata(tmp_path / "out") if one.level == "fault"]
    assert file in fault


@pytest.mark.parametrize("number", [1e300, 2.0**63, -1.0, 0.5, float("inf"), 10**400])
def test_an_index_that_does_not_fit_64_bits_is_a_value_error(number):
    with pytest.raises(ValueError, match="task_index"):
        whole_number({"task_index": number}, "task_index")


def test_a_task_whose_index_does_not_fit_64_bits_is_named_by_verify_and_by_a_conversion(folder, tmp_path):
    convert_version(folder, tmp_path / "v3", "v3.0")
    path = tmp_path / "v3/meta/tasks.parquet"
    table = pyarrow.parquet.read_table(path)
    numbers = [*map(float, table["task_index"].to_pylist()), 1e300]
    others = {name: [*table[name].to_pylist(), "sort"] for name in table.column_names if name != "task_index"}
    pyarrow.parquet.write_table(pyarrow.table({"task_index": numbers, **others}), path)
    assert any("1e+300" in one.text for one in verify_metadata(tmp_path / "v3") if one.level == "fault")
    with pytest.raises(BadBag, match=r"1e\+300 for `task_index`"):
        convert_version(tmp_path / "v3", tmp_path / "v2", "v2.1")
