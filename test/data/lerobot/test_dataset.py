"""LeRobot datasets, their conversion to bags, and the store that both end in."""

import json
from dataclasses import replace

import numpy as np
import pytest
from recordings import (
    NAMES,
    PREPROCESSING,
    START,
    TOPICS,
    lerobot_dataset,
    real_data,
    record,
    recording_at,
    run,
    write_video,
)

from hwm_core.data.discover import find_recordings
from hwm_core.data.episodes.prepare import fit_store_manifests, prepare_episodes
from hwm_core.data.episodes.split import is_nth
from hwm_core.data.episodes.store import open_store
from hwm_core.data.lerobot.dataset import open_lerobot
from hwm_core.data.lerobot.recording import LeRobotRecording
from hwm_core.data.recording.preprocessing import Preprocessing
from hwm_core.data.robot.description import Joint, Robot
from hwm_core.data.robot.manifest import ActionManifest
from hwm_core.data.rosbag2.export import write_rosbag2
from hwm_core.data.rosbag2.recording import BagRecording
from hwm_core.errors import BadBag, BadInput, RobotMismatch
from training import convert_data, prepare_data

VIDEO = "videos/chunk-000/observation.images.head/episode_{:06d}.mp4"
TABLE = "data/chunk-000/episode_{:06d}.parquet"


@pytest.fixture
def folder(tmp_path):
    return lerobot_dataset(tmp_path / "set")


def renamed(folder, names):
    info = json.loads((folder / "meta/info.json").read_text())
    info["features"]["observation.state"]["names"] = names
    (folder / "meta/info.json").write_text(json.dumps(info))


def prepared(recordings, store, preprocessing=PREPROCESSING, **options):
    return list(prepare_episodes({"training": recordings}, store, preprocessing, **options))


def test_what_counts_is_the_files_on_disk_not_what_info_says(folder):
    dataset = open_lerobot(folder)
    assert dataset.episodes == (0, 3)
    assert dataset.cameras == ("observation.images.head",)
    assert (dataset.state_names, dataset.command_names) == (NAMES, NAMES)


def test_a_frame_keeps_its_state_and_meets_the_action_of_the_row_before(folder):
    episode, report = recording_at(folder, 3).read(PREPROCESSING)
    t = np.arange(1, 20)
    assert episode.name == "set_000003"
    assert np.abs(episode.frames[:, 6, 6, 1].astype(int) - 10 * t).max() <= 4  # what the codec leaves of grey 10 t
    assert np.allclose(episode.states, np.stack([t, 10 * t, -t], axis=1))
    assert np.array_equal(episode.commands, np.stack([t - 1] * 3, axis=1))
    assert (report.images, report.unaligned_frames, report.bad) == (20, 1, 0)


def test_a_dataset_and_the_bag_made_of_it_are_the_same_episode_to_the_bit(folder, tmp_path):
    recording = recording_at(folder, 0)
    direct, _ = recording.read(PREPROCESSING)
    for form in ("png", "raw"):
        write_rosbag2(recording.events(), tmp_path / form, TOPICS, form)
        episode, _ = BagRecording(tmp_path / form, TOPICS).read(PREPROCESSING)
        for field in ("frames", "stamps_ns", "segments", "states", "commands"):
            assert np.array_equal(getattr(episode, field), getattr(direct, field)), (form, field)


def test_a_camera_without_files_is_rejected_naming_those_with(folder):
    with pytest.raises(BadBag, match=r"images\.absent.*images\.head"):
        recording_at(folder, 0, "observation.images.absent").read(PREPROCESSING)


def test_of_several_cameras_one_must_be_named(folder):
    (folder / "videos/chunk-000/observation.images.wrist").mkdir()
    write_video(folder / "videos/chunk-000/observation.images.wrist/episode_000000.mp4", 20, "mpeg4")
    with pytest.raises(BadBag, match=r"one camera to be chosen.*images\.head.*images\.wrist"):
        recording_at(folder, 0).read(PREPROCESSING)


def test_a_video_of_another_length_than_the_table_is_rejected(folder):
    for frames in (15, 25):
        write_video(folder / VIDEO.format(0), frames, "mpeg4")
        with pytest.raises(BadBag, match="expected 20 frames, one for each row of episode 0"):
            recording_at(folder, 0).read(PREPROCESSING)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.95])
@pytest.mark.parametrize("file", [VIDEO, TABLE])
def test_an_episode_cut_anywhere_is_a_bad_bag_and_leaves_no_bag_behind(folder, tmp_path, file, share):
    damaged = folder / file.format(0)
    damaged.write_bytes(damaged.read_bytes()[: int(share * damaged.stat().st_size)])
    with pytest.raises(BadBag, match="cut"):
        write_rosbag2(recording_at(folder, 0).events(), tmp_path / "bags" / "bag", TOPICS)
    assert not any((tmp_path / "bags").glob("*"))


def test_an_absent_episode_and_what_is_no_dataset_are_rejected(folder, tmp_path):
    with pytest.raises(BadBag, match="episode_000007"):
        LeRobotRecording(open_lerobot(folder), 7).read(PREPROCESSING)
    with pytest.raises(BadBag, match=r"info\.json"):
        open_lerobot(tmp_path / "nowhere")
    info = json.loads((folder / "meta/info.json").read_text())
    (folder / "meta/info.json").write_text(json.dumps({**info, "codebase_version": "v1.6"}))
    with pytest.raises(BadBag, match=r"v1\.6"):
        open_lerobot(folder)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"fps": 0}, "key `fps`: expected Input should be greater than 0, got 0"),
        ({"fps": None}, "key `fps`"),
        ({"codebase_version": None}, "key `codebase_version`"),
        ({"features": ["action"]}, "key `features`: expected Input should be a valid dictionary"),
        ({"features": {"action": 3}}, "key `features.action`"),
        ({"features": {"action": {"names": list(NAMES)}}}, "feature `action`: key `shape`.*got nothing"),
        ({"features": {"action": {"shape": []}}}, "feature `action`: key `shape`"),
        ({"features": {"action": {"shape": [3], "names": 3}}}, "feature `action`: key `names"),
        ({"features": {"camera": {}}}, "observation.state or action in meta/info.json, got neither"),
    ],
)
def test_an_info_that_lacks_or_garbles_what_is_used_is_rejected_by_the_key(folder, changes, said):
    info = json.loads((folder / "meta/info.json").read_text())
    (folder / "meta/info.json").write_text(json.dumps({**info, **changes}))
    with pytest.raises(BadBag, match=said):
        open_lerobot(folder)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"fps": 30'])
def test_an_info_that_is_cut_is_rejected_as_no_json_object(folder, text):
    (folder / "meta/info.json").write_text(text)
    with pytest.raises(BadBag, match=r"info\.json: expected a JSON object"):
        open_lerobot(folder)


@pytest.mark.parametrize("file", [VIDEO, TABLE])
def test_an_episode_s_file_without_a_number_is_rejected_by_its_name(folder, file):
    (folder / file.format(0)).rename((folder / file.format(0)).with_stem("episode_x"))
    with pytest.raises(BadBag, match=r"expected episode_NUMBER.*episode_x"):
        open_lerobot(folder)


@pytest.mark.parametrize("names", [list(NAMES), [list(NAMES)], {"motors": list(NAMES)}])
def test_joint_names_are_found_in_each_form_they_are_published_in(folder, names):
    renamed(folder, names)
    assert open_lerobot(folder).state_names == NAMES


@pytest.mark.parametrize(
    ("names", "read"),
    [
        ({"left": ["yaw", "roll"], "right": ["yaw"]}, ("left_yaw", "left_roll", "right_yaw")),
        ({"left": ["l"], "right": ["r"], "head": "yaw"}, ("l", "r", "yaw")),  # apart as they are
        ({"y": 1, "x": 0, "z": 2}, ("x", "y", "z")),  # each name's position
    ],
)
def test_the_names_of_two_arms_stay_apart_and_names_with_positions_are_put_in_order(folder, names, read):
    renamed(folder, names)
    assert open_lerobot(folder).state_names == read


def test_names_that_repeat_in_one_list_are_rejected_when_read_naming_them(folder):
    renamed(folder, ["yaw", "roll", "yaw"])
    with pytest.raises(RobotMismatch, match="expected each name once, got yaw more than once"):
        recording_at(folder, 0).read(PREPROCESSING)


def test_av1_video_is_read(tmp_path):
    recording = recording_at(lerobot_dataset(tmp_path / "set", (0,), codec="libsvtav1"))
    episode, _ = recording.read(PREPROCESSING)
    assert np.abs(episode.frames[:, 6, 6, 1].astype(int) - 10 * np.arange(1, 20)).max() <= 4


def test_bags_and_datasets_are_found_at_any_depth_and_by_their_file(folder, tmp_path):
    record(tmp_path / "deep" / "run_7", run(5))
    found = find_recordings(tmp_path, TOPICS)
    assert sorted((one.name, one.number) for one in found) == [("run_7", 7), ("set_000000", 0), ("set_000003", 3)]
    assert [one.name for one in find_recordings(tmp_path / "deep/run_7/run_7.mcap", TOPICS)] == ["run_7"]
    assert [one.name for one in found if is_nth(one, 7)] == ["run_7", "set_000000"]
    for nothing in (tmp_path / "nowhere", tmp_path / "set" / "data"):
        with pytest.raises(BadBag, match="rosbag2"):
            find_recordings(nothing, TOPICS)


def test_preparing_again_goes_on_where_it_was_stopped(folder, tmp_path):
    recordings = find_recordings(folder, TOPICS)
    store = tmp_path / "store"
    assert [one.report.frames for one in prepared(recordings[:1], store)] == [19]
    partial = store / "training" / ".set_000003.partial"  # as a killed process leaves it
    partial.mkdir()
    assert [one.report is None for one in prepared(recordings, store)] == [True, False]
    assert not partial.exists()
    assert len(open_store(store).training) == 2


def test_a_bad_recording_is_told_of_and_left_out(folder, tmp_path):
    (folder / VIDEO.format(0)).write_bytes(b"")
    bad, good = prepared(find_recordings(folder, TOPICS), tmp_path / "store")
    assert "episode_000000.mp4" in bad.fault and not good.fault
    assert [one.name for one in open_store(tmp_path / "store").training] == ["set_000003"]


def test_a_store_is_of_one_preprocessing_and_one_split(folder, tmp_path):
    recordings, store = find_recordings(folder, TOPICS), tmp_path / "store"
    prepared(recordings, store)
    with pytest.raises(BadBag, match="preprocessing"):
        prepared(recordings, store, Preprocessing(source_aspect=4 / 3, height=16, width=16))
    with pytest.raises(BadBag, match="in validation/"):
        list(prepare_episodes({"validation": recordings}, store, PREPROCESSING))


def test_a_recording_is_named_once_for_one_split(folder, tmp_path):
    recordings = find_recordings(folder, TOPICS)
    split = {"training": recordings, "validation": recordings[1:]}
    with pytest.raises(BadBag, match="1 names twice, the first `set_000003`"):
        list(prepare_episodes(split, tmp_path / "store", PREPROCESSING))
    assert not (tmp_path / "store").exists()


def test_processes_prepare_what_one_process_does(folder, tmp_path):
    recordings = find_recordings(folder, TOPICS)
    prepared(recordings, tmp_path / "one")
    prepared(recordings, tmp_path / "two", names=NAMES, workers=2)
    pairs = list(zip(open_store(tmp_path / "one").training, open_store(tmp_path / "two").training, strict=True))
    assert len(pairs) == len(recordings)
    for one, two in pairs:
        assert np.array_equal(one.frames, two.frames) and np.array_equal(one.states, two.states)


def test_statistics_are_of_the_training_split_alone(tmp_path):
    # Validation moves a hundred times as far; were it counted, the deviation would show it.
    record(tmp_path / "bags/run_1", run(10))
    record(tmp_path / "bags/run_2", run(30))
    recordings = find_recordings(tmp_path / "bags", TOPICS)
    split = {"training": recordings[:1], "validation": recordings[1:]}
    list(prepare_episodes(split, tmp_path / "store", PREPROCESSING))
    fitted = fit_store_manifests(tmp_path / "store", Robot(name="robot", joints={"el*": Joint(unit="deg")}))
    t = np.arange(1, 10)
    assert np.allclose(fitted["states"].mean, [t.mean(), 10 * t.mean(), -t.mean()])
    assert np.allclose(fitted["states"].std, [t.std(), 10 * t.std(), t.std()])
    assert fitted["states"].units == ("rad", "deg", "rad")
    assert open_store(tmp_path / "store").manifests == fitted
    assert fitted["commands"].upper == (8, 8, 8)


def test_the_command_lines_convert_and_prepare(folder, tmp_path, capsys):
    bags, store = tmp_path / "bags", tmp_path / "store"
    assert convert_data.main([str(folder), "--to", "rosbag2", "--out", str(bags)]) == 0
    arguments = [str(bags), "--validation-nth", "3", "--robot", "r", "--size", "12", "--out", str(store)]
    assert prepare_data.main(arguments) == 2  # 0 and 3: nothing is left to train on
    assert "got 0 and 2. Name recordings with --validation" in capsys.readouterr().err
    arguments[2] = "2"
    assert prepare_data.main(arguments) == 0
    opened = open_store(store)
    assert [one.name for one in opened.training] == ["set_000003"]
    assert [one.name for one in opened.validation] == ["set_000000"]
    assert isinstance(opened.manifests["states"], ActionManifest)


def prepare(source, store, *more):
    arguments = [str(source), "--validation-nth", "2", "--robot", "r", "--size", "12", "--out", str(store), *more]
    return prepare_data.main(arguments)


def test_preparing_at_a_rate_above_the_camera_s_tells_the_held_frames_and_the_rate_to_use(tmp_path, capsys):
    for number in (1, 2):
        slow = [replace(one, stamp_ns=START + (one.stamp_ns - START) * 3 // 2) for one in run()]  # 20 Hz
        record(tmp_path / f"bags/run_{number}", slow)
    assert prepare(tmp_path / "bags", tmp_path / "at_30") == 0
    said = capsys.readouterr().out
    assert "38 of 116 frames (33%) repeat the frame before" in said and "`--rate 20` repeats none" in said
    assert prepare(tmp_path / "bags", tmp_path / "at_15", "--rate", "60", "--frame-skip", "1") == 0
    assert "`--rate 40` repeats none" in capsys.readouterr().out  # every second of 40 a second
    assert prepare(tmp_path / "bags", tmp_path / "at_20", "--rate", "20") == 0
    assert "repeat" not in capsys.readouterr().out


def test_a_rate_that_a_camera_without_its_repeats_cannot_keep_is_told_too(tmp_path, capsys):
    for number in (1, 2):
        messages = run(90)
        for one in messages:
            if one.topic == TOPICS.image:
                one.content[:] -= one.content % 4 == 3  # every fourth picture is the third again
        record(tmp_path / f"bags/run_{number}", messages)
    assert prepare(tmp_path / "bags", tmp_path / "store", "--drop-repeats") == 0
    assert "A lower `--rate` repeats fewer" in capsys.readouterr().out


@pytest.mark.realdata
def test_gr1_at_30_hz_is_told_to_run_at_20(tmp_path, capsys):
    assert prepare(real_data("gr1_sim_picknplace"), tmp_path / "store") == 0
    said = capsys.readouterr().out
    assert "(33%) repeat the frame before" in said and "`--rate 20` repeats none" in said


@pytest.mark.parametrize("to", ["rosbag2", "lerobot-v3.0"])
def test_the_command_line_tells_what_was_left_out_of_a_conversion_and_says_so_by_its_status(
    folder, tmp_path, capsys, to
):
    (folder / VIDEO.format(0)).write_bytes(b"no video")
    arguments = [str(folder), "--to", to, "--codec", "lossless", "--out", str(tmp_path / "out")]
    assert convert_data.main(arguments) == 1
    said = capsys.readouterr()
    assert f"1 recordings as {to}" in said.out and "left out set_000000: " in said.err


def test_a_task_that_is_asked_for_is_written_though_a_whole_dataset_is_converted(folder, tmp_path):
    arguments = [str(folder), "--to", "lerobot-v3.0", "--task", "wave", "--out", str(tmp_path / "out")]
    assert convert_data.main(arguments) == 0
    assert open_lerobot(tmp_path / "out").entry(3).tasks == ("wave",)


@pytest.mark.realdata
def test_a_chosen_g1_episode_stays_that_episode_in_a_dataset_of_its_own(tmp_path, capsys):
    source = real_data("g1_yellow_bottle")
    arguments = [str(source), "--episodes", "29", "--codec", "h264", "--to", "lerobot-v3.0"]
    assert convert_data.main([*arguments, "--out", str(tmp_path / "out")]) == 0
    before, after = open_lerobot(source), open_lerobot(tmp_path / "out")
    assert (after.episodes, after.cameras) == ((29,), before.cameras)
    assert after.info["robot_type"] == before.info["robot_type"] == "Unitree_G1_Inspire"
    assert after.entry(29).tasks == before.entry(29).tasks != ()
    assert "not carried over" not in capsys.readouterr().out


@pytest.mark.realdata
def test_the_g1_episodes_are_read_and_their_every_fourth_frame_is_a_repeat():
    dataset = open_lerobot(real_data("g1_yellow_bottle"))
    assert len(dataset.episodes) == 58 and len(dataset.state_names) == 26
    episode, report = LeRobotRecording(dataset, 5).read(Preprocessing(source_aspect=4 / 3))
    assert (len(episode), report.bad, report.gaps) == (367, 0, 0)
    repeats = (episode.frames[1:] == episode.frames[:-1]).all(axis=(1, 2, 3)).mean()
    assert 0.15 < repeats < 0.35


@pytest.mark.realdata
def test_gr1_is_read_by_the_camera_it_has_and_its_25_constant_actions_are_found(tmp_path):
    folder = real_data("gr1_sim_picknplace")
    with pytest.raises(BadInput, match=r"images\.egoview.*images\.ego_view"):
        recording_at(folder, 0, "observation.images.egoview").read(PREPROCESSING)
    preprocessing = Preprocessing(source_aspect=1.0, frame_rate_hz=20)
    outcomes = prepared(find_recordings(folder, TOPICS), tmp_path, preprocessing)
    assert [bool(one.fault) for one in outcomes] == [False] * 4
    assert sum(fit_store_manifests(tmp_path, Robot(name="gr1"))["commands"].constant) == 25
