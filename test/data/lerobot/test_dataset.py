"""Reading LeRobot v2.1 datasets."""

import json

import numpy as np
import pytest
from recordings import NAMES, PREPROCESSING, TOPICS, lerobot_dataset, real_data, recording_at, write_video

from hwm_core.data.lerobot.dataset import open_lerobot
from hwm_core.data.lerobot.recording import LeRobotRecording
from hwm_core.data.recording.preprocessing import Preprocessing
from hwm_core.data.rosbag2.export import write_rosbag2
from hwm_core.data.rosbag2.recording import BagRecording
from hwm_core.errors import BadBag, RobotMismatch

VIDEO = "videos/chunk-000/observation.images.head/episode_{:06d}.mp4"
TABLE = "data/chunk-000/episode_{:06d}.parquet"


@pytest.fixture
def folder(tmp_path):
    """A dataset of the episodes 0 and 3, of 20 rows."""
    return lerobot_dataset(tmp_path / "set")


def change_info(folder, **changes):
    info = json.loads((folder / "meta/info.json").read_text())
    (folder / "meta/info.json").write_text(json.dumps({**info, **changes}))


def set_state_names(folder, names):
    features = json.loads((folder / "meta/info.json").read_text())["features"]
    features["observation.state"]["names"] = names
    change_info(folder, features=features)


def test_the_files_on_disk_count_not_the_totals_of_info(folder):
    dataset = open_lerobot(folder)
    assert dataset.episodes == (0, 3)
    assert dataset.cameras == ("observation.images.head",)
    assert (dataset.state_names, dataset.command_names) == (NAMES, NAMES)


def test_a_frame_has_the_state_of_its_row_and_the_action_of_the_row_before(folder):
    episode, report = recording_at(folder, 3).read(PREPROCESSING)
    t = np.arange(1, 20)
    assert episode.name == "set_000003"
    assert np.abs(episode.frames[:, 6, 6, 1].astype(int) - 10 * t).max() <= 4  # the codec changes grey 10 t a little
    assert np.allclose(episode.states, np.stack([t, 10 * t, -t], axis=1))
    assert np.array_equal(episode.commands, np.stack([t - 1] * 3, axis=1))
    assert (report.images, report.unaligned_frames, report.bad) == (20, 1, 0)


@pytest.mark.parametrize("image_format", ["png", "raw"])
def test_a_dataset_and_the_bag_written_from_it_give_the_same_episode_bit_for_bit(folder, tmp_path, image_format):
    recording = recording_at(folder, 0)
    direct, _ = recording.read(PREPROCESSING)
    write_rosbag2(recording.events(), tmp_path / "bag", TOPICS, image_format)
    episode, _ = BagRecording(tmp_path / "bag", TOPICS).read(PREPROCESSING)
    for field in ("frames", "stamps_ns", "segments", "states", "commands"):
        assert np.array_equal(getattr(episode, field), getattr(direct, field)), field


def test_a_camera_without_files_is_an_error_that_lists_the_cameras_with_files(folder):
    with pytest.raises(BadBag, match=r"images\.absent.*images\.head"):
        recording_at(folder, 0, "observation.images.absent").read(PREPROCESSING)


def test_one_of_several_cameras_must_be_chosen(folder):
    (folder / "videos/chunk-000/observation.images.wrist").mkdir()
    write_video(folder / "videos/chunk-000/observation.images.wrist/episode_000000.mp4", 20, "mpeg4")
    with pytest.raises(BadBag, match=r"one camera to be chosen.*images\.head.*images\.wrist"):
        recording_at(folder, 0).read(PREPROCESSING)


@pytest.mark.parametrize("frames", [15, 25])
def test_a_video_and_a_table_of_different_lengths_are_rejected(folder, frames):
    write_video(folder / VIDEO.format(0), frames, "mpeg4")
    with pytest.raises(BadBag, match="expected 20 frames, one for each row of episode 0"):
        recording_at(folder, 0).read(PREPROCESSING)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.95])
@pytest.mark.parametrize("file", [VIDEO, TABLE])
def test_a_truncated_file_is_rejected_and_no_bag_is_written(folder, tmp_path, file, share):
    damaged = folder / file.format(0)
    damaged.write_bytes(damaged.read_bytes()[: int(share * damaged.stat().st_size)])
    with pytest.raises(BadBag, match="truncated"):
        write_rosbag2(recording_at(folder, 0).events(), tmp_path / "bags" / "bag", TOPICS)
    assert not any((tmp_path / "bags").glob("*"))


def test_an_absent_episode_is_an_error(folder):
    with pytest.raises(BadBag, match="episode_000007"):
        LeRobotRecording(open_lerobot(folder), 7).read(PREPROCESSING)


def test_a_folder_without_info_is_rejected(tmp_path):
    with pytest.raises(BadBag, match=r"info\.json"):
        open_lerobot(tmp_path / "nowhere")


def test_an_unsupported_version_is_rejected(folder):
    change_info(folder, codebase_version="v1.6")
    with pytest.raises(BadBag, match=r"v1\.6"):
        open_lerobot(folder)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"fps": 0}, "key `fps`: expected a value greater than 0, got 0"),
        ({"fps": None}, "key `fps`"),
        ({"codebase_version": None}, "key `codebase_version`"),
        ({"features": ["action"]}, "key `features`: expected a valid dictionary"),
        ({"features": {"action": 3}}, "key `features.action`"),
        ({"features": {"action": {"names": list(NAMES)}}}, "feature `action`: key `shape`.*got nothing"),
        ({"features": {"action": {"shape": []}}}, "feature `action`: key `shape`"),
        ({"features": {"action": {"shape": [3], "names": 3}}}, "feature `action`: key `names"),
        ({"features": {"camera": {}}}, "observation.state or action in meta/info.json, got neither"),
    ],
)
def test_a_missing_or_wrong_key_of_info_is_rejected_with_its_name(folder, changes, message):
    change_info(folder, **changes)
    with pytest.raises(BadBag, match=message):
        open_lerobot(folder)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"fps": 30'])
def test_an_info_that_is_no_json_object_is_rejected(folder, text):
    (folder / "meta/info.json").write_text(text)
    with pytest.raises(BadBag, match=r"info\.json: expected a JSON object"):
        open_lerobot(folder)


@pytest.mark.parametrize("file", [VIDEO, TABLE])
def test_a_file_whose_name_has_no_episode_number_is_rejected(folder, file):
    (folder / file.format(0)).rename((folder / file.format(0)).with_stem("episode_x"))
    with pytest.raises(BadBag, match=r"expected episode_NUMBER.*episode_x"):
        open_lerobot(folder)


@pytest.mark.parametrize("names", [list(NAMES), [list(NAMES)], {"motors": list(NAMES)}])
def test_joint_names_are_read_in_every_published_form(folder, names):
    set_state_names(folder, names)
    assert open_lerobot(folder).state_names == NAMES


@pytest.mark.parametrize(
    ("names", "read"),
    [
        ({"left": ["yaw", "roll"], "right": ["yaw"]}, ("left_yaw", "left_roll", "right_yaw")),
        ({"left": ["l"], "right": ["r"], "head": "yaw"}, ("l", "r", "yaw")),  # already different
        ({"y": 1, "x": 0, "z": 2}, ("x", "y", "z")),  # positions
    ],
)
def test_names_shared_by_two_arms_get_a_prefix_and_names_with_positions_are_sorted(folder, names, read):
    set_state_names(folder, names)
    assert open_lerobot(folder).state_names == read


def test_a_joint_name_that_appears_twice_in_a_list_is_rejected(folder, tmp_path):
    set_state_names(folder, ["yaw", "roll", "yaw"])
    with pytest.raises(RobotMismatch, match=r"info\.json.*expected each name once, got yaw more than once. Rename"):
        recording_at(folder, 0).read(PREPROCESSING)
    with pytest.raises(RobotMismatch, match="Rename one of them"):  # a bag of it could not be read
        write_rosbag2(recording_at(folder, 0).events(), tmp_path / "bag", TOPICS)


def test_av1_video_is_read(tmp_path):
    recording = recording_at(lerobot_dataset(tmp_path / "set", (0,), codec="libsvtav1"))
    episode, _ = recording.read(PREPROCESSING)
    assert np.abs(episode.frames[:, 6, 6, 1].astype(int) - 10 * np.arange(1, 20)).max() <= 4


@pytest.mark.realdata
def test_a_quarter_of_the_g1_frames_repeats_the_frame_before():
    dataset = open_lerobot(real_data("g1_yellow_bottle"))
    assert len(dataset.episodes) == 58 and len(dataset.state_names) == 26
    episode, report = LeRobotRecording(dataset, 5).read(Preprocessing(source_aspect=4 / 3))
    assert (len(episode), report.bad, report.gaps) == (367, 0, 0)
    repeats = (episode.frames[1:] == episode.frames[:-1]).all(axis=(1, 2, 3)).mean()
    assert 0.15 < repeats < 0.35
