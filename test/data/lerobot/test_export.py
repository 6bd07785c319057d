"""Writing recordings as LeRobot datasets, round trips, and the losses that are reported."""

import json

import numpy as np
import pytest
from recordings import (
    NAMES,
    PERIOD,
    PREPROCESSING,
    START,
    TOPICS,
    Message,
    grey_image,
    lerobot_dataset,
    record,
    recording_at,
    run,
)

from hwm_core.data.discover import find_recordings
from hwm_core.data.lerobot.dataset import open_lerobot
from hwm_core.data.lerobot.export import LeRobotOptions, write_lerobot
from hwm_core.data.lerobot.recording import LeRobotRecording
from hwm_core.data.lerobot.tables import read_table
from hwm_core.data.rosbag2.export import write_bags, write_rosbag2
from hwm_core.data.rosbag2.recording import BagRecording
from hwm_core.errors import BadBag

LOSSLESS = LeRobotOptions(codec="lossless", task="wave", robot="tester")


def grid_run(frames):
    """A run whose stamps are on a dataset's grid: frame t at 1 s + t / 30."""
    messages = []
    for t in range(frames):
        stamp = 1_000_000_000 + round(float(np.float32(t / 30)) * 1e9)
        messages.append(Message(TOPICS.joint_states, stamp, (NAMES, (t, 10 * t, -t))))
        messages.append(Message(TOPICS.image, stamp, np.random.default_rng(t).integers(0, 256, (24, 32, 3), np.uint8)))
        messages.append(Message(TOPICS.commands, stamp, (NAMES, (t + 0.5,) * 3)))
    return messages


@pytest.mark.parametrize("version", ["v2.1", "v3.0"])
def test_a_bag_survives_the_round_trip_through_lerobot_bit_for_bit(tmp_path, version):
    record(tmp_path / "bags" / "run_0", grid_run(12))
    recordings = find_recordings(tmp_path / "bags", TOPICS)
    done = write_lerobot(recordings, tmp_path / "set", LOSSLESS.model_copy(update={"version": version}))
    assert done.losses == ["time of day: every episode starts at 0 s"]
    dataset = open_lerobot(tmp_path / "set")
    assert (dataset.version, dataset.fps, dataset.entry(0).tasks) == (version, 30, ("wave",))
    assert not [one for one in (tmp_path / "set").iterdir() if one.name not in ("meta", "data", "videos")]
    write_rosbag2(recording_at(tmp_path / "set").events(), tmp_path / "again", TOPICS, "png")
    before, _ = BagRecording(tmp_path / "bags" / "run_0", TOPICS).read(PREPROCESSING)
    after, _ = BagRecording(tmp_path / "again", TOPICS).read(PREPROCESSING)
    for field in ("frames", "stamps_ns", "segments", "states", "commands"):
        assert np.array_equal(getattr(before, field), getattr(after, field)), field


def test_a_dataset_survives_the_round_trip_through_bags_with_every_row(tmp_path):
    source = recording_at(lerobot_dataset(tmp_path / "set", (0,)))
    write_rosbag2(source.events(), tmp_path / "bags" / "run_0", TOPICS, "png")
    write_lerobot(find_recordings(tmp_path / "bags", TOPICS), tmp_path / "again", LOSSLESS)
    for one, two in zip(source.frames(), recording_at(tmp_path / "again").frames(), strict=True):
        assert one.stamp_ns == two.stamp_ns and np.array_equal(one.rgb, two.rgb)
        assert np.array_equal(one.state, two.state) and np.array_equal(one.command, two.command)


def test_an_action_is_the_command_issued_at_its_frame(tmp_path):
    record(tmp_path / "run_0", run(10))  # at frame t, t is commanded
    write_lerobot(find_recordings(tmp_path / "run_0", TOPICS), tmp_path / "set", LOSSLESS)
    rows = list(recording_at(tmp_path / "set").frames())
    assert [row.command[0] for row in rows] == list(range(10))
    assert [row.state[0] for row in rows] == list(range(10))
    assert [int(row.rgb[0, 0, 0]) for row in rows] == list(range(10))


def test_every_loss_is_reported(tmp_path):
    messages = run(10) + run(10, start=START + 40 * PERIOD)  # a gap of a second
    messages = [m for m in messages if m.topic != TOPICS.commands]
    messages[0] = Message(messages[0].topic, messages[0].stamp_ns, (NAMES, (0.1, 0.2, 0.3)))
    record(tmp_path / "run_0", messages)
    losses = " / ".join(
        write_lerobot(
            find_recordings(tmp_path / "run_0", TOPICS), tmp_path / "set", LeRobotOptions(codec="h264", fps=15)
        ).losses
    )
    for loss in (
        "split into several episodes: run_0",
        "float32",
        "codec h264, ",
        "dB PSNR",
        "action",
        "images: between",
    ):
        assert loss in losses
    dataset = open_lerobot(tmp_path / "set")
    assert len(dataset.episodes) == 2 and dataset.command_names == ()
    assert LeRobotRecording(dataset, 1).read(PREPROCESSING.model_copy(update={"frame_rate_hz": 15}))[0].commands is None


def test_messages_left_out_are_counted_and_the_first_fault_is_reported(tmp_path):
    for number in range(2):
        messages = grid_run(12)
        for index, m in enumerate(messages):
            t = index // 3
            if m.topic == TOPICS.joint_states and t in (4, 8):
                messages[index] = Message(m.topic, m.stamp_ns, (NAMES, (0, np.nan, 0)))
            elif m.topic == TOPICS.image and t == 6:
                messages[index] = Message(m.topic, m.stamp_ns, grey_image(0, 24, 24))  # another shape
        messages.append(Message(TOPICS.joint_states, messages[-1].stamp_ns - 5_000_000, (NAMES, (0, 0, 0))))
        record(tmp_path / f"bags/run_{number}", messages)
    losses = write_lerobot(find_recordings(tmp_path / "bags", TOPICS), tmp_path / "set", LOSSLESS).losses
    assert "2 late messages: the stamp is not after the previous stamp" in losses
    (bad,) = [loss for loss in losses if loss.startswith("unusable messages: 6, the first: ")]
    assert "NaN or infinity for elbow" in bad
    assert "2 frames repeat the previous image: the camera gave no usable new one in time" in losses


def test_topics_that_are_not_converted_are_listed(tmp_path):
    (recording,) = find_recordings(lerobot_dataset(tmp_path / "set", (0,)), TOPICS)
    assert recording.extras() == ()
    messages = [*run(5), Message("/imu", START, (NAMES, (0, 0, 0)))]
    record(tmp_path / "run_0", messages)
    assert find_recordings(tmp_path / "run_0", TOPICS)[0].extras() == ("topic /imu",)


def labelled(folder, robot="G1", camera="observation.images.cam_high"):
    """A dataset of the episodes 3 and 5, each with its own task."""
    lerobot_dataset(folder, (3, 5), frames=5)
    (folder / "videos/chunk-000/observation.images.head").rename(folder / "videos/chunk-000" / camera)
    info = json.loads((folder / "meta/info.json").read_text()) | {"robot_type": robot}
    (folder / "meta/info.json").write_text(json.dumps(info))
    lines = [{"episode_index": number, "tasks": [f"task {number}"], "length": 5} for number in (3, 5)]
    (folder / "meta/episodes.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return find_recordings(folder, TOPICS)


SOURCE_LABELS = LeRobotOptions(codec="lossless")


def test_a_chosen_episode_keeps_its_camera_robot_task_and_number(tmp_path):
    done = write_lerobot(labelled(tmp_path / "set")[1:], tmp_path / "new", SOURCE_LABELS)
    dataset = open_lerobot(tmp_path / "new")
    assert (dataset.episodes, dataset.cameras) == ((5,), ("observation.images.cam_high",))
    assert (dataset.info["robot_type"], dataset.entry(5).tasks) == ("G1", ("task 5",))
    assert [loss.partition(":")[0] for loss in done.losses] == [
        "time of day",
        "episode numbers",
    ]


def test_numbers_that_v2_1_does_not_keep_are_reported(tmp_path):
    done = write_lerobot(
        labelled(tmp_path / "set"), tmp_path / "new", SOURCE_LABELS.model_copy(update={"version": "v2.1"})
    )
    assert "episode numbers, counted again from 0: 0 is set_000003, 1 is set_000005" in done.losses
    dataset = open_lerobot(tmp_path / "new")
    assert [dataset.entry(number).tasks for number in dataset.episodes] == [("task 3",), ("task 5",)]
    assert [read_table(dataset, number)["task_index"][0].as_py() for number in dataset.episodes] == [0, 1]


def test_a_dataset_keeps_the_first_of_different_names_and_reports_the_others(tmp_path):
    recordings = labelled(tmp_path / "one" / "set") + labelled(
        tmp_path / "two" / "set", "GR1", "observation.images.ego"
    )
    done = write_lerobot(recordings, tmp_path / "new", SOURCE_LABELS)
    assert (
        "different names, of which a dataset has one: camera `observation.images.ego` becomes "
        "`observation.images.cam_high`, robot `GR1` becomes `G1`" in done.losses
    )
    assert any(loss.startswith("episode numbers, counted again from 0: 0 is set_000003") for loss in done.losses)
    asked = SOURCE_LABELS.model_copy(update={"robot": "any", "camera": "observation.images.eye", "task": "tidy up"})
    assert not any("different names" in loss for loss in write_lerobot(recordings, tmp_path / "asked", asked).losses)
    dataset = open_lerobot(tmp_path / "asked")
    assert (dataset.cameras, dataset.info["robot_type"]) == (("observation.images.eye",), "any")
    assert {dataset.entry(number).tasks for number in dataset.episodes} == {("tidy up",)}


def test_an_episode_keeps_all_its_tasks_and_its_frames_have_the_first(tmp_path):
    labelled(tmp_path / "set")
    line = {"episode_index": 3, "tasks": ["pick", "place"], "length": 5}
    (tmp_path / "set/meta/episodes.jsonl").write_text(json.dumps(line))
    recordings = find_recordings(tmp_path / "set", TOPICS)[:1]
    done = write_lerobot(recordings, tmp_path / "new", SOURCE_LABELS)
    assert open_lerobot(tmp_path / "new").entry(3).tasks == ("pick", "place")
    assert any("every frame has the first task of set_000003" in loss for loss in done.losses)


def test_labels_that_a_bag_cannot_store_are_reported(tmp_path):
    done = write_bags(labelled(tmp_path / "set")[:1], tmp_path / "bags", TOPICS, "png")
    assert done.losses == ["not carried over: robot `G1`, task `task 3`, video key `observation.images.cam_high`"]


def write_dataset(recordings, out):
    return write_lerobot(recordings, out, LOSSLESS)


def write_bag_folder(recordings, out):
    return write_bags(recordings, out, TOPICS)


@pytest.mark.parametrize("write", [write_dataset, write_bag_folder])
@pytest.mark.parametrize("bad", ["run_0", "run_1"])
def test_an_unusable_recording_is_left_out_and_the_rest_are_converted(tmp_path, write, bad):
    for name in ("run_0", "run_1"):
        messages = run(6) if name != bad else [m for m in run(6) if m.topic != TOPICS.image]
        record(tmp_path / "bags" / name, messages)
    done = write(find_recordings(tmp_path / "bags", TOPICS), tmp_path / "out")
    assert [one.partition(":")[0] for one in done.left_out] == [bad] and "images" in done.left_out[0]
    (written,) = find_recordings(tmp_path / "out", TOPICS)
    assert len(written.read(PREPROCESSING)[0]) == 5  # the first of 6 frames precedes every command


@pytest.mark.parametrize("write", [write_dataset, write_bag_folder])
@pytest.mark.parametrize("count", [1, 2])
def test_without_a_usable_recording_nothing_is_written(tmp_path, write, count):
    for name in ("run_0", "run_1")[:count]:
        record(tmp_path / "bags" / name, [m for m in run(6) if m.topic != TOPICS.image])
    with pytest.raises(BadBag, match="expected images"):
        write(find_recordings(tmp_path / "bags", TOPICS), tmp_path / "out/set")
    assert not [one for one in (tmp_path / "out").rglob("*") if one.is_file()]


def files_in(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("version", ["v2.1", "v3.0"])
@pytest.mark.parametrize("bad", ["run_0", "run_2"])
def test_a_recording_rejected_in_a_later_part_changes_neither_the_dataset_nor_the_losses(tmp_path, bad, version):
    larger = [
        m if m.topic != TOPICS.image else Message(m.topic, m.stamp_ns, np.tile(m.content, (2, 2, 1))) for m in run(6)
    ]
    later = run(6, start=START + 40 * PERIOD)  # after a gap of a second, images of half the size
    record(tmp_path / "bags" / bad, larger + later)
    record(tmp_path / "bags" / "run_1", grid_run(8))
    recordings = find_recordings(tmp_path / "bags", TOPICS)
    options = LOSSLESS.model_copy(update={"version": version})
    done = write_lerobot(recordings, tmp_path / "out", options)
    assert [one.partition(":")[0] for one in done.left_out] == [bad]
    alone = write_lerobot([one for one in recordings if one.name != bad], tmp_path / "alone", options)
    assert done.losses == alone.losses
    assert files_in(tmp_path / "out") == files_in(tmp_path / "alone")


def test_with_a_given_rate_an_unusable_recording_leaves_nothing_behind(tmp_path):
    record(tmp_path / "run_0", [m for m in run(6) if m.topic != TOPICS.image])
    with pytest.raises(BadBag):
        write_lerobot(
            find_recordings(tmp_path / "run_0", TOPICS), tmp_path / "set", LOSSLESS.model_copy(update={"fps": 30})
        )
    assert not (tmp_path / "set").exists()


def test_the_written_statistics_are_the_statistics_of_the_values(tmp_path):
    record(tmp_path / "run_0", run(10))
    write_lerobot(find_recordings(tmp_path / "run_0", TOPICS), tmp_path / "set", LOSSLESS)
    stats = json.loads((tmp_path / "set/meta/stats.json").read_text())
    assert stats["observation.state"]["max"] == [9, 90, 0] and np.allclose(stats["action"]["mean"], 4.5)
