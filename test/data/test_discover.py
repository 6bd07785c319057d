"""Searching for recordings of all formats."""

import os

import pytest
from command import hwm
from recordings import TOPICS, lerobot_dataset, record, run

from hwm_core.data.discover import find_recordings, search_recordings
from hwm_core.data.episodes.split import is_nth
from hwm_core.errors import BadBag


@pytest.fixture
def folder(tmp_path):
    """A dataset of the episodes 0 and 3, beside a bag in a folder of its own."""
    lerobot_dataset(tmp_path / "set")
    record(tmp_path / "deep" / "run_7", run(5))
    return tmp_path


def test_bags_and_datasets_are_found_at_any_depth(folder):
    found = find_recordings(folder, TOPICS)
    assert sorted((one.name, one.number) for one in found) == [("run_7", 7), ("set_000000", 0), ("set_000003", 3)]
    assert [one.name for one in found if is_nth(one, 7)] == ["run_7", "set_000000"]


def test_a_bag_is_found_by_the_path_of_its_file(folder):
    assert [one.name for one in find_recordings(folder / "deep/run_7/run_7.mcap", TOPICS)] == ["run_7"]


@pytest.mark.parametrize("link", ["run_8", "run_8.mcap"])
def test_a_recording_under_two_names_is_rejected_as_one(tmp_path, capsys, link):
    target = record(tmp_path / "run_7", run(5))
    (tmp_path / link).symlink_to(target if link == "run_8" else target / "run_7.mcap")
    options = ("--robot", "r", "--validation-nth", 2, "--out", tmp_path / "store")
    assert hwm("prepare", tmp_path, *options) == 2
    assert f"got `run_7` and `run_8`, which are both {target}. Remove one of them" in capsys.readouterr().err


def test_links_to_folders_above_are_not_followed(folder):
    (folder / "deep/up").symlink_to(folder)
    (folder / "deep/here").symlink_to(folder / "deep")
    assert len(find_recordings(folder, TOPICS)) == 3


def test_what_is_no_file_is_named_and_not_waited_for(tmp_path, capsys):
    record(tmp_path / "run_1", run(5))
    os.mkfifo(tmp_path / "run_2.mcap")
    (tmp_path / "run_3.mcap").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "run_4.mp4")
    (tmp_path / "run_4.csv").write_text("state.neck\n0\n")
    assert hwm("verify", tmp_path) == 1
    said = capsys.readouterr().out
    assert "run_2.mcap: expected a rosbag2 folder or file, got a pipe or device" in said
    assert "run_3.mcap: expected a rosbag2 folder or file, got a link to nothing. " in said
    assert "run_4.mp4: expected a video PyAV can decode, got OSError: a pipe or device" in said


@pytest.mark.parametrize("path", ["nowhere", "set/data"])
def test_a_path_without_recordings_is_an_error_that_lists_the_formats(folder, path):
    with pytest.raises(BadBag, match="rosbag2"):
        find_recordings(folder / path, TOPICS)


def test_a_bag_of_ros_1_is_named_with_the_way_to_convert_it(tmp_path):
    record(tmp_path / "run_1", run(3))
    (tmp_path / "old.bag").write_bytes(b"#ROSBAG V2.0\n")
    found = search_recordings(tmp_path, TOPICS)
    assert [one.name for one in found.recordings] == ["run_1"]
    (left_out,) = found.left_out()
    assert "got a bag of ROS 1" in left_out and "rosbags-convert --src old.bag --dst old" in left_out


def test_a_video_without_a_table_beside_recordings_is_left_out_with_the_reason(tmp_path):
    record(tmp_path / "run_1", run(3))
    (tmp_path / "clip.mp4").write_bytes(b"")
    found = search_recordings(tmp_path, TOPICS)
    assert [one.name for one in found.recordings] == ["run_1"]
    (left_out,) = found.left_out()
    assert left_out.startswith("clip.mp4: ") and "Write clip.csv" in left_out
