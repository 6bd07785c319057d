"""Columns of LeRobot tables: every published form of joint values and of time."""

import numpy as np
import pyarrow
import pytest
from command import hwm
from lerobot_sets import change_features, change_info, change_table, plain_set, states, with_column
from recordings import NAMES, PREPROCESSING, recording_at

from hwm_core.data.checks.verification import verify_metadata
from hwm_core.data.lerobot.columns import is_number, numeric_rows
from hwm_core.data.lerobot.dataset import open_lerobot
from hwm_core.data.lerobot.row_times import row_times
from hwm_core.data.lerobot.tables import read_joints, read_table
from hwm_core.data.lerobot.versions import convert_version
from hwm_core.errors import BadBag, BadInput

GRID = np.arange(20) / 30


@pytest.fixture
def folder(tmp_path):
    """A dataset of the episodes 0 and 1, of 20 rows."""
    return plain_set(tmp_path / "set")


@pytest.mark.parametrize(
    ("values", "rows"),
    [
        ([1, 2], [[1], [2]]),
        ([True, None], [[1], [np.nan]]),
        ([[1.0, 2.0], None], [[1, 2], [np.nan, np.nan]]),
        ([[[1, 2], [3, 4]], [[5, 6], [7, 8]]], [[1, 2, 3, 4], [5, 6, 7, 8]]),
        ([[None, 2.0]], [[np.nan, 2]]),
        ([None, None], [[np.nan], [np.nan]]),
    ],
)
def test_numbers_are_read_from_scalars_lists_and_lists_of_lists_and_null_is_nan(values, rows):
    assert np.array_equal(numeric_rows(pyarrow.chunked_array([pyarrow.array(values)])), rows, equal_nan=True)


@pytest.mark.parametrize("values", [["a"], [[1.0], [1.0, 2.0]], [{"a": 1}]])
def test_columns_without_numbers_or_with_rows_of_different_lengths_are_rejected(values):
    with pytest.raises(ValueError, match=r"in place of numbers|rows of 1 or 2"):
        numeric_rows(pyarrow.chunked_array([pyarrow.array(values)]))


@pytest.mark.parametrize(
    ("values", "remark"),
    [
        (GRID.astype(np.float32), ""),
        (GRID[:, None].tolist(), ""),
        (1.7e9 + GRID, ""),  # seconds since 1970 in double precision
        (1000 * GRID, "milliseconds"),
        ((1e6 * GRID).astype(np.int64), "microseconds"),
        (1_700_000_000_000_000_000 + (1e9 * GRID).astype(np.int64), "nanoseconds"),
        (pyarrow.array((1e9 * GRID).astype(np.int64), pyarrow.timestamp("ns")), "nanoseconds"),
        (pyarrow.array((1e6 * GRID).astype(np.int64), pyarrow.duration("us")), "microseconds"),
        ((1.7e9 + GRID).astype(np.float32), "single precision, 128 apart: row / fps is used"),
        ((1.7e9 + GRID).astype(np.float32).astype(np.float64), "single precision"),
    ],
)
def test_every_spelling_of_time_gives_the_same_intervals_and_is_reported(values, remark):
    times = row_times(pyarrow.chunked_array([pyarrow.array(values)]), 30)
    assert np.abs(times.seconds - times.seconds[0] - GRID).max() < 1e-5
    assert remark in times.remark and bool(remark) == bool(times.remark)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (["0.1"] * 20, "string in place of numbers"),
        ([[0.0, 1.0]] * 20, "2 values a row"),
        ([0.0] * 20, "do not advance"),
        ([-t / 30 for t in range(20)], "do not advance"),
        ([0.0] * 19 + [None], "no number in row 19"),
        (1e17 * GRID, "do not fit 30 rows a second"),
        (30 * GRID, "intervals of 1, which do not fit 30 rows a second"),  # numbers of rows
        (2 * GRID, "intervals of 0.06666"),  # 15 rows a second: images at row / fps or at the time?
        (pyarrow.array((1e9 * GRID).astype(np.int64), pyarrow.timestamp("us")), "intervals of 3.3"),
    ],
)
def test_times_that_are_none_are_rejected_with_the_reason(folder, tmp_path, values, message):
    with_column(folder, 0, "timestamp", values)
    with pytest.raises(BadBag, match=f"column `timestamp`.*{message}.*row / fps"):
        recording_at(folder, 0).read(PREPROCESSING)
    (left_out,) = convert_version(folder, tmp_path / "out", "v3.0").left_out
    assert message in left_out


@pytest.mark.parametrize("version", ["v2.1", "v3.0"])
def test_times_in_nanoseconds_are_converted_and_reported(folder, tmp_path, version):
    with_column(folder, 0, "timestamp", (1e9 * GRID).astype(np.int64))
    assert any("timestamps are in nanoseconds" in one.text for one in verify_metadata(folder))
    losses = convert_version(folder, tmp_path / "out", version).losses
    assert "the spelling of time: the timestamps are in nanoseconds in episodes 0; they are in seconds now" in losses
    joints = read_joints(open_lerobot(tmp_path / "out"), 0)
    assert np.abs(np.diff(joints.stamps_ns) - 1e9 / 30).max() < 1e3


def test_a_null_last_action_is_left_out_and_counted_and_the_episode_is_read(folder, tmp_path):
    with_column(folder, 0, "action", [*([float(t)] * 3 for t in range(19)), None])
    episode, report = recording_at(folder, 0).read(PREPROCESSING)
    assert len(episode) == 19 and report.bad == 1
    assert "Row 19 of set_000000: expected commands in action, got null" in report.first_fault
    losses = convert_version(folder, tmp_path / "out", "v3.0").losses
    assert any("`action` has NaN or infinity in episodes 0" in one for one in losses)
    assert read_table(open_lerobot(tmp_path / "out"), 0)["action"].to_pylist()[-1] is None


def test_states_of_shape_2_by_2_are_read_in_order_and_kept_by_a_conversion(folder, tmp_path):
    square = {"dtype": "float32", "shape": [2, 2], "names": None}
    change_features(folder, **{"observation.state": square})
    for number in (0, 1):
        with_column(folder, number, "observation.state", [[[t, 1.0], [2.0, 3.0]] for t in np.arange(20.0)])
    dataset = open_lerobot(folder)
    assert dataset.state_names == ("joint_0", "joint_1", "joint_2", "joint_3")
    assert read_joints(dataset, 1).states[7].tolist() == [7, 1, 2, 3]
    assert convert_version(folder, tmp_path / "out", "v3.0").left_out == []
    assert read_joints(open_lerobot(tmp_path / "out"), 1).states[7].tolist() == [7, 1, 2, 3]


def chunks(step: int) -> list[list[list[float]]]:
    """Chunks of two actions for each of 20 rows; action `step` of a chunk is the first of the next row."""
    return [[[float(t)] * 3, [float(t + step)] * 3] for t in range(20)]


def test_of_overlapping_chunks_of_actions_the_first_action_is_the_command_of_the_row(folder):
    change_features(folder, action={"dtype": "float32", "shape": [2, 3], "names": None})
    for number in (0, 1):
        with_column(folder, number, "action", chunks(1))
    episode, _ = recording_at(folder, 0).read(PREPROCESSING)
    assert episode.commands[:, 0].tolist() == list(range(19)) and episode.names == ("neck", "elbow", "wrist")
    assert any("chunks of 2 actions" in one.text for one in verify_metadata(folder))


def test_chunks_of_actions_that_do_not_overlap_are_rejected_with_a_remedy(folder):
    change_features(folder, action={"dtype": "float32", "shape": [2, 3], "names": None})
    with_column(folder, 0, "action", chunks(5))
    with pytest.raises(BadBag, match=r"chunks of 2 actions.*another action in 19 of 20 rows.*Store one action"):
        recording_at(folder, 0).read(PREPROCESSING)


@pytest.mark.parametrize("shape", [[None], [3, None], [None, None]])
def test_a_shape_of_null_takes_the_width_of_the_rows(folder, shape):
    change_features(folder, **{"observation.state": {"dtype": "float32", "shape": shape, "names": ["a", "b", "c"]}})
    dataset = open_lerobot(folder)
    assert dataset.state_names == ("a", "b", "c") and np.array_equal(read_joints(dataset, 0).states, states())


def test_a_column_of_null_shape_is_converted_with_its_width_and_left_out_where_rows_differ(folder, tmp_path):
    for name, values in (("pose", [[1.0, 2.0]] * 20), ("events", [[1.0]] * 10 + [[1.0, 2.0]] * 10)):
        for number in (0, 1):
            with_column(folder, number, name, values)
        change_features(folder, **{name: {"dtype": "float32", "shape": [None], "names": None}})
    losses = convert_version(folder, tmp_path / "out", "v3.0").losses
    assert "the column `events`: its rows have different numbers of values" in losses
    after = open_lerobot(tmp_path / "out")
    assert after.info["features"]["pose"]["shape"] == [2] and "events" not in after.info["features"]
    assert "events" not in read_table(after, 0).column_names


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        ("observation.state", [[0.0] * 4] * 20, "expected 3 numbers in each row, as meta/info.json declares, got 4"),
        ("action", [[0.0]] * 20, "expected 3 numbers in each row.*got 1"),
        ("action", ["left"] * 20, "string in place of numbers"),
        ("action", [[0.0] * 3] * 19 + [[0.0]], "rows of 1 or 3 values"),
    ],
)
def test_a_column_that_contradicts_info_is_rejected_with_its_name_and_both_widths(folder, column, values, message):
    with_column(folder, 0, column, values)
    with pytest.raises(BadBag, match=f"column `{column}`: .*{message}") as raised:
        recording_at(folder, 0).read(PREPROCESSING)
    assert "publisher" not in str(raised.value)


@pytest.mark.parametrize("name", ["action", "timestamp"])
def test_a_column_twice_is_read_where_both_are_equal_and_rejected_where_they_differ(folder, tmp_path, name):
    def twice(table, change):
        return table.append_column(name, pyarrow.array(change(table[name].to_pylist()), table.schema.field(name).type))

    change_table(folder, 0, lambda table: twice(table, list))
    change_table(folder, 1, lambda table: twice(table, lambda values: values[::-1]))
    assert len(recording_at(folder, 0).read(PREPROCESSING)[0]) == 19
    with pytest.raises(BadInput, match=r"2 columns `\w+` with different values"):
        recording_at(folder, 1).read(PREPROCESSING)
    (left_out,) = convert_version(folder, tmp_path / "out", "v2.1").left_out
    assert left_out.startswith("set_000001") and f"2 columns `{name}` with different values" in left_out


@pytest.mark.parametrize("stored", ["scalars", "lists"])
@pytest.mark.parametrize("version", ["v2.1", "v3.0"])
def test_one_joint_is_read_from_scalars_and_lists_and_written_as_scalars(folder, tmp_path, version, stored):
    one = {"dtype": "float32", "shape": [1], "names": ["grip"]}
    change_features(folder, **{"observation.state": one, "action": one})
    for number in (0, 1):
        for name in ("observation.state", "action"):
            values = np.arange(20, dtype=np.float32)
            with_column(folder, number, name, values if stored == "scalars" else values[:, None].tolist())
    assert recording_at(folder, 0).read(PREPROCESSING)[0].states[:, 0].tolist() == list(range(1, 20))
    for name, options in (("copied", ()), ("encoded", ("--codec", "lossless"))):
        assert hwm("convert", folder, "--to", f"lerobot-{version}", "--out", tmp_path / name, *options) == 0
        table = read_table(open_lerobot(tmp_path / name), 0)
        assert all(is_number(table.schema.field(key).type) for key in ("action", "observation.state"))


def test_fps_and_shape_of_every_number_type_are_accepted(folder):
    change_info(folder, fps=30.0)
    change_features(folder, action={"dtype": "float32", "shape": [3.0], "names": list(NAMES)})
    assert len(recording_at(folder, 0).read(PREPROCESSING)[0]) == 19


def test_a_column_that_info_does_not_describe_is_described_in_the_conversion_as_lerobot_requires(folder, tmp_path):
    for number in (0, 1):
        with_column(folder, number, "reward", [0.5] * 20)
        with_column(folder, number, "pose", pyarrow.array([[1.0, 2.0]] * 20, pyarrow.list_(pyarrow.float32())))
        with_column(folder, number, "note", ["x"] * 20)
        with_column(folder, number, "events", [{"a": 1}] * 20)
    losses = convert_version(folder, tmp_path / "out", "v3.0").losses
    assert any("the column `events`: info.json does not describe it" in one for one in losses)
    after = open_lerobot(tmp_path / "out")
    features = {name: after.info["features"].get(name) for name in ("reward", "pose", "note", "timestamp")}
    assert {name: (one["dtype"], one["shape"]) for name, one in features.items()} == {
        "reward": ("float64", [1]),
        "pose": ("float32", [2]),
        "note": ("string", [1]),
        "timestamp": ("float32", [1]),
    }
    described = {name for name, one in after.info["features"].items() if one["dtype"] != "video"}
    assert described == {*read_table(after, 0).column_names}


def test_a_row_with_nan_costs_this_row_and_its_remedy_is_about_tables_too(folder):
    with_column(folder, 0, "observation.state", [*states(20)[:19].tolist(), [1.0, float("nan"), 2.0]])
    _, report = recording_at(folder, 0).read(PREPROCESSING)
    assert report.bad == 1 and "elbow" in report.first_fault and "the rows of the table" in report.first_fault


@pytest.mark.parametrize("values", [["x"] * 20, [["x", "y", "z"]] * 20, [{"a": 1.0}] * 20])
def test_a_conversion_leaves_out_an_episode_whose_numbers_are_none(folder, tmp_path, values):
    with_column(folder, 0, "observation.state", values)
    done = convert_version(folder, tmp_path / "out", "v3.0")
    (left_out,) = done.left_out
    assert "column `observation.state`: expected float32, as meta/info.json declares, got" in left_out
    assert open_lerobot(tmp_path / "out").episodes == (1,)


@pytest.mark.parametrize(
    "names", ["motors", [None, None, None], [None], ["a", "", "b"], ["a", " ", "b"], [["a", None, "b"]]]
)
def test_names_that_are_none_are_numbers(folder, names):
    change_features(folder, **{"observation.state": {"dtype": "float32", "shape": [3], "names": names}})
    assert open_lerobot(folder).state_names == ("joint_0", "joint_1", "joint_2")
