"""One bad row of the metadata costs one episode; what hwm leaves out is reported."""

import json
import shutil

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from command import hwm
from lerobot_sets import EPISODES, change_features, change_info, change_rows, plain_set, with_column, write_lines
from recordings import PREPROCESSING, recording_at, write_video

from hwm_core.data.lerobot.dataset import open_lerobot
from hwm_core.data.lerobot.tasks import row_tasks
from hwm_core.data.lerobot.versions import convert_version
from hwm_core.errors import BadBag


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A v2.1 dataset of the episodes 0, 1, 2, and the same as v3.0."""
    folder = tmp_path_factory.mktemp("made")
    old = plain_set(folder / "old/set", (0, 1, 2))
    convert_version(old, folder / "new/set", "v3.0")
    return folder


@pytest.fixture
def old(made, tmp_path):
    shutil.copytree(made / "old/set", tmp_path / "old/set")
    return tmp_path / "old/set"


@pytest.fixture
def new(made, tmp_path):
    shutil.copytree(made / "new/set", tmp_path / "new/set")
    return tmp_path / "new/set"


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("data/file_index", float("nan"), "nan for `data/file_index`"),
        ("data/chunk_index", None, "NoneType"),
        ("length", 1.5, "1.5 for `length`"),
        ("episode_index", -1.0, "-1.0 for `episode_index`"),
        ("videos/observation.images.head/from_timestamp", float("nan"), "nan"),
    ],
)
def test_a_bad_row_of_the_episodes_costs_one_episode(new, tmp_path, capsys, column, value, message):
    def change(rows):
        for row in rows:
            row.pop("source_episode_index")
        rows[1][column] = value

    change_rows(new, change)
    dataset = open_lerobot(new)
    assert dataset.episodes == (0, 2)
    ((_, fault),) = dataset.left_out.items()
    assert message in str(fault)
    assert len(recording_at(new, 2).read(PREPROCESSING)[0]) == 19
    for words in (["inspect"], ["verify"], ["convert", "--to", "lerobot-v2.1", "--out", tmp_path / "out"]):
        assert hwm(words[0], new, *words[1:]) == 1
        output = capsys.readouterr()
        assert message in output.out + output.err and "Traceback" not in output.err


def test_whole_numbers_stored_as_floats_are_indices(new):
    def change(rows):
        for row in rows:
            for key in row:
                if key.endswith("_index") or key == "length":
                    row[key] = float(row[key])

    change_rows(new, change)
    dataset = open_lerobot(new)
    assert dataset.episodes == (0, 1, 2) and not dataset.left_out
    assert len(recording_at(new, 1).read(PREPROCESSING)[0]) == 19


@pytest.mark.parametrize("form", ["lists", "floats", "twice"])
def test_the_rows_of_an_episode_are_found_by_indices_of_every_form(new, form):
    (path,) = new.glob("data/*/*.parquet")
    table = pyarrow.parquet.ParquetFile(path).read()
    place, values = table.column_names.index("episode_index"), table["episode_index"].to_pylist()
    if form == "twice":
        table = table.append_column("action", table["action"])
    else:
        values = [[value] if form == "lists" else float(value) for value in values]
        table = table.set_column(place, "episode_index", pyarrow.array(values))
    pyarrow.parquet.write_table(table, path)
    for number in (0, 1, 2):
        assert len(recording_at(new, number).read(PREPROCESSING)[0]) == 19


def test_two_rows_of_one_episode_leave_it_once_and_report_it(new):
    change_rows(new, lambda rows: rows.append(dict(rows[1])))
    dataset = open_lerobot(new)
    assert dataset.episodes == (0, 1, 2) and "two rows of this number" in str(dataset.left_out["episode 1"])


@pytest.mark.parametrize("pattern", ["{:03d}", "{:08d}", "{}"])
def test_files_of_any_width_of_digits_and_any_folder_are_found(old, pattern):
    for kind, suffix in (("data", "parquet"), ("videos", "mp4")):
        for file in sorted(old.glob(f"{kind}/**/episode_*.{suffix}")):
            file.rename(file.with_stem("episode_" + pattern.format(int(file.stem[-6:]))))
        (old / kind / "chunk-000").rename(old / kind / "task-327")
    dataset = open_lerobot(old)
    assert dataset.episodes == (0, 1, 2) and dataset.cameras == ("observation.images.head",)
    assert len(recording_at(old, 2).read(PREPROCESSING)[0]) == 19


def test_files_are_found_by_the_patterns_of_info(old, new):
    (old / "tables").mkdir()
    for file in old.glob("data/*/*.parquet"):
        file.rename(old / f"tables/run{int(file.stem[-6:])}.parquet")
    change_info(old, data_path="tables/run{episode_index}.parquet")
    assert len(recording_at(old, 2).read(PREPROCESSING)[0]) == 19
    (new / "data/chunk-000/file-000.parquet").rename(new / "data/part-0-0.parquet")
    change_info(new, data_path="data/part-{chunk_index}-{file_index}.parquet")
    assert len(recording_at(new, 2).read(PREPROCESSING)[0]) == 19


@pytest.mark.parametrize(
    "template", ["../{episode_index}.parquet", "/data/{episode_index}", "{x}/{episode_index", 3, None]
)
def test_a_pattern_that_leaves_the_folder_or_is_none_is_ignored(old, template):
    change_info(old, data_path=template)
    assert open_lerobot(old).episodes == (0, 1, 2)


def test_two_tables_of_one_episode_leave_it_out_with_both_names(old):
    shutil.copy(old / "data/chunk-000/episode_000001.parquet", old / "data/chunk-000/episode_1.parquet")
    dataset = open_lerobot(old)
    assert dataset.episodes == (0, 2)
    assert "episode_000001.parquet and data/chunk-000/episode_1.parquet" in str(dataset.left_out["episode 1"])


@pytest.mark.parametrize("file", ["episodes", "tasks"])
def test_a_bad_line_of_tasks_is_reported_and_costs_no_frame(old, tmp_path, capsys, file):
    write_lines(old, "tasks", [{"task_index": 0, "task": "wave"}])
    write_lines(old, "episodes", [{"episode_index": number, "tasks": ["wave"]} for number in (0, 1)])
    with (old / f"meta/{file}.jsonl").open("a") as lines:
        lines.write('{"task_index": ')
    last = {"episodes": 3, "tasks": 2}[file]
    assert hwm("prepare", old, "--robot", "r", "--size", 12, "--validation-nth", 2, "--out", tmp_path / "store") == 1
    output = capsys.readouterr()
    assert f"line {last} of meta/{file}.jsonl" in output.out + output.err
    assert len(list((tmp_path / "store").glob("*/set_*"))) == 3
    assert hwm("verify", old) == 1


@pytest.mark.parametrize(("made_as", "stated", "found"), [("old", "v3.0", "v2.1"), ("new", "v2.1", "v3.0")])
def test_files_of_another_version_than_info_states_are_named_so(request, made_as, stated, found):
    folder = request.getfixturevalue(made_as)
    change_info(folder, codebase_version=stated)
    with pytest.raises(
        BadBag, match=rf"expected files of format {stated}.*got files of format {found}.*codebase_version"
    ):
        open_lerobot(folder)


def test_tasks_are_read_by_the_index_of_the_rows_where_the_episodes_do_not_list_them(old, tmp_path):
    write_lines(old, "tasks", [{"task_index": 0, "task": "wave"}, {"task_index": 1, "task": "bow"}])
    write_lines(old, "episodes", [{"episode_index": number, "length": 20} for number in (0, 1, 2)])
    for number in (0, 1, 2):
        with_column(old, number, "task_index", np.array([0] * 10 + [number % 2] * 10))
    assert recording_at(old, 1).labels().tasks == ("wave", "bow") and recording_at(old, 2).labels().tasks == ("wave",)
    convert_version(old, tmp_path / "out", "v3.0")
    rows = pyarrow.parquet.ParquetFile(tmp_path / "out" / EPISODES).read().to_pylist()
    assert [row["tasks"] for row in rows] == [["wave"], ["wave", "bow"], ["wave"]]


def test_the_task_of_each_frame_is_kept_where_images_are_encoded_again(old, tmp_path, capsys):
    write_lines(old, "tasks", [{"task_index": 4, "task": "wave"}, {"task_index": 7, "task": "bow"}])
    for number in (0, 1, 2):
        with_column(old, number, "task_index", np.array([4] * 10 + [7] * 10))
    words = ("convert", old, "--to", "lerobot-v2.1", "--codec", "lossless", "--out")
    assert hwm(*words, tmp_path / "out") == 0
    assert "the task of each frame" not in capsys.readouterr().out
    after = open_lerobot(tmp_path / "out")
    assert row_tasks(after, 1) == ["wave"] * 10 + ["bow"] * 10 and after.entry(1).tasks == ("wave", "bow")
    assert hwm(*words, tmp_path / "asked", "--task", "dance") == 0
    assert set(row_tasks(open_lerobot(tmp_path / "asked"), 1)) == {"dance"}


def test_language_columns_are_kept_in_v3_and_listed_as_left_out_in_v2(old, tmp_path):
    said = [[{"role": "user", "content": "go"}] * (1 + row % 2) for row in range(20)]
    change_features(old, language_events={"dtype": "language", "shape": [1], "names": None})
    for number in (0, 1, 2):
        with_column(old, number, "language_events", said)
    assert convert_version(old, tmp_path / "new", "v3.0").left_out == []
    table = pyarrow.parquet.read_table(tmp_path / "new/data/chunk-000/file-000.parquet")
    assert table["language_events"].to_pylist()[:20] == said
    losses = convert_version(tmp_path / "new", tmp_path / "again", "v2.1").losses
    assert "the column `language_events`: v2.1 has no language columns" in losses
    assert "language_events" not in json.loads((tmp_path / "again/meta/info.json").read_text())["features"]


def test_a_set_without_pictures_lists_what_it_has_and_is_inspected_by_its_joints(old, capsys):
    change_features(old, **{"observation.images.head": None})
    shutil.rmtree(old / "videos")
    assert hwm("inspect", old) == 0
    output = capsys.readouterr().out
    assert "set_000001  no images" in output and "states        20 at 30.00 Hz" in output
    assert "got only observation.state, action" in output


def test_absent_episode_numbers_are_an_error_that_lists_the_numbers_there_are(old, tmp_path, capsys):
    for command in (["inspect"], ["convert", "--to", "rosbag2", "--out", tmp_path / "out"]):
        assert hwm(command[0], old, *command[1:], "--episodes", 1, 7, 9) == 2
        assert "numbers of recordings in the sources: 0 to 2, got 7 9" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("source", [".", "..", "../set"])
def test_a_relative_source_is_named_after_its_folder(old, tmp_path, monkeypatch, capsys, source):
    (old / "inside").mkdir()
    monkeypatch.chdir(old if source == "." else old / "inside")
    source = source if source in (".", "..") else "../../set"
    out = tmp_path / "out"
    assert hwm("convert", source, "--to", "rosbag2", "--out", out) == 0
    assert sorted(one.name for one in out.iterdir()) == ["set_000000", "set_000001", "set_000002"]
    assert hwm("prepare", source, "--robot", "r", "--size", 12, "--validation-nth", 2, "--out", tmp_path / "store") == 0
    assert sorted(one.name for one in (tmp_path / "store/training").iterdir()) == ["set_000001"]
    monkeypatch.chdir(out / "set_000001")
    assert hwm("convert", ".", "--to", "rosbag2", "--out", tmp_path / "again") == 0
    assert [one.name for one in (tmp_path / "again").iterdir()] == ["set_000001"]
    assert "1 recordings as rosbag2" in capsys.readouterr().out


@pytest.mark.parametrize(("rate", "fault"), [(15, True), (31, False), (60, True)])
def test_a_video_of_another_rate_than_fps_is_rejected_with_both(tmp_path, capsys, rate, fault):
    made = plain_set(tmp_path / "set", (0, 1))
    write_video(made / "videos/chunk-000/observation.images.head/episode_000001.mp4", 20, "mpeg4", rate=rate)
    assert hwm("verify", made) == fault
    assert (f"expected 30 frames per second, the `fps` of info.json, got {rate}." in capsys.readouterr().out) == fault
