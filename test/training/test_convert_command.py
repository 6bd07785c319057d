"""`hwm convert`: from recordings to rosbag2 and LeRobot."""

import pytest
from command import hwm
from recordings import lerobot_dataset, real_data, record, run, write_video

from hwm_core.data.lerobot.dataset import open_lerobot

VIDEO = "videos/chunk-000/observation.images.head/episode_{:06d}.mp4"


@pytest.fixture
def folder(tmp_path):
    """A LeRobot dataset of the episodes 0 and 3."""
    return lerobot_dataset(tmp_path / "set")


@pytest.mark.parametrize("to", ["rosbag2", "lerobot-v3.0"])
def test_an_unusable_recording_is_listed_and_the_exit_status_is_1(folder, tmp_path, capsys, to):
    (folder / VIDEO.format(0)).write_bytes(b"no video")
    assert hwm("convert", folder, "--to", to, "--codec", "lossless", "--out", tmp_path / "out") == 1
    printed = capsys.readouterr()
    assert f"1 recordings as {to}" in printed.out and "skipped set_000000: " in printed.err


def test_an_unusable_episode_between_versions_is_listed_and_the_exit_status_is_1(folder, tmp_path, capsys):
    write_video(folder / VIDEO.format(3), 15, "mpeg4")
    assert hwm("convert", folder, "--to", "lerobot-v3.0", "--out", tmp_path / "out") == 1
    printed = capsys.readouterr()
    assert "1 recordings as lerobot-v3.0" in printed.out and "skipped set_000003: " in printed.err


def test_a_given_task_is_written_when_a_whole_dataset_is_converted(folder, tmp_path):
    out = tmp_path / "out"
    assert hwm("convert", folder, "--to", "lerobot-v3.0", "--task", "wave", "--out", out) == 0
    assert open_lerobot(out).entry(3).tasks == ("wave",)


def test_two_recordings_of_one_name_are_rejected_where_outputs_have_their_names(tmp_path, capsys):
    one, two = (record(tmp_path / site / "run_0", run(6)) for site in ("a", "b"))
    for words in (("convert", one, two, "--to", "rosbag2", "--out"), ("inspect", one, two, "--sheets")):
        assert hwm(*words, tmp_path / "out") == 2
        assert "1 names twice, the first `run_0`" in capsys.readouterr().err
        assert not (tmp_path / "out").exists()
    assert hwm("inspect", one, two) == 0


def test_existing_bags_are_kept_and_listed_apart_from_new_ones(tmp_path, capsys):
    for name in ("run_0", "run_1"):
        record(tmp_path / "bags" / name, run(6))
    out = tmp_path / "out"

    def convert(path, *options):
        assert hwm("convert", path, "--to", "rosbag2", "--out", out, *options) == 0
        return capsys.readouterr().out

    assert "1 recordings as rosbag2" in convert(tmp_path / "bags/run_0")
    printed = convert(tmp_path / "bags", "--image-format", "png")
    assert f"{out}: 1 recordings as rosbag2" in printed
    assert "existing bags kept, even if their options differ: run_0\n" in printed
    printed = convert(tmp_path / "bags")
    assert f"{out}: 0 recordings as rosbag2" in printed and "run_0, run_1" in printed and "lost" not in printed


@pytest.mark.realdata
def test_a_chosen_g1_episode_keeps_its_number_camera_robot_and_task(tmp_path, capsys):
    source, out = real_data("g1_yellow_bottle"), tmp_path / "out"
    options = ("--episodes", 29, "--codec", "h264", "--to", "lerobot-v3.0", "--out", out)
    assert hwm("convert", source, *options) == 0
    before, after = open_lerobot(source), open_lerobot(out)
    assert (after.episodes, after.cameras) == ((29,), before.cameras)
    assert after.info["robot_type"] == before.info["robot_type"] == "Unitree_G1_Inspire"
    assert after.entry(29).tasks == before.entry(29).tasks != ()
    assert "not carried over" not in capsys.readouterr().out
