"""Embodiments: declared layouts, several robots in one store, units that cannot be."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from data_commands import run_command
from grey_episodes import episode
from recordings import PREPROCESSING, TOPICS, Message, lerobot_dataset, picture, real_data, record, run

from hwm_core.data.discover import find_recordings
from hwm_core.data.episodes.prepare import fit_store_manifests, prepare_episodes
from hwm_core.data.episodes.store import open_store
from hwm_core.data.episodes.windows import Windows
from hwm_core.data.lerobot.dataset import open_lerobot
from hwm_core.data.recording.preprocessing import Preprocessing
from hwm_core.data.robot.embodiment import Dimension, Embodiment, embodiment_names, read_embodiment, union
from hwm_core.data.rosbag2.recording import BagRecording
from hwm_core.data.tokens.onex_joints import EVE_STATES
from hwm_core.errors import BadActions, BadConfig, RobotMismatch
from hwm_core.live.context import Context
from hwm_core.sim.description import joints
from training import compute_statistics, convert_data, prepare_data

ONE = Embodiment(
    robot="one",
    dimensions=(Dimension(name="neck_yaw", aliases=("neck",)), Dimension(name="elbow"), Dimension(name="wrist")),
)
TWO = Embodiment(
    robot="two", dimensions=(Dimension(name="elbow", aliases=("j1",)), Dimension(name="ankle", aliases=("j2",)))
)


def test_the_shipped_layouts_are_those_of_their_robots():
    assert embodiment_names() == ["1x_eve", "fourier_gr1", "hwm_sim_humanoid", "unitree_g1_inspire"]
    assert [len(read_embodiment(name).names) for name in embodiment_names()] == [25, 44, 16, 26]
    assert read_embodiment("1x_eve").names == EVE_STATES and read_embodiment("1x_eve").aliases["HIP_YAW"] == "hip_yaw"
    sim, table = read_embodiment("hwm_sim_humanoid"), joints()
    assert sim.names == table.names and tuple(one.unit for one in sim.dimensions) == table.units
    assert np.allclose([one.limits for one in sim.dimensions], np.stack([table.lower, table.upper], axis=1))


def test_a_robot_s_joints_find_their_dimensions_in_whatever_order_and_by_whatever_name():
    arranged = ONE.arrange(episode(names=("elbow", "neck"), lengths=(3,)))
    assert arranged.names == ("neck_yaw", "elbow", "wrist")
    assert np.array_equal(arranged.states, [[0, 0, np.nan], [2, 1, np.nan], [4, 2, np.nan]], equal_nan=True)


def test_a_joint_that_no_layout_declares_is_rejected_naming_the_likely_one():
    with pytest.raises(RobotMismatch, match=r"`elbo`.*Is it `elbow`"):
        ONE.columns(["neck", "elbo"])
    with pytest.raises(RobotMismatch, match="`neck_yaw` beside `neck`"):
        ONE.columns(["neck", "neck_yaw"])


def test_degrees_for_radians_and_closures_beyond_one_are_rejected():
    with pytest.raises(BadActions, match="degrees for radians"):
        ONE.arrange(episode(names=("elbow", "neck"), lengths=(90,)))
    hand = Embodiment(robot="hand", dimensions=(Dimension(name="a", unit="unit"), Dimension(name="b")))
    with pytest.raises(BadActions, match=r"States of run: a: expected values in unit.*not 0 to 1"):
        hand.arrange(episode(lengths=(3,), commands=False))


@pytest.mark.parametrize(("joint", "status"), [("{unit: rad}", 2), ("{unit: deg}", 0), ("{}", 0)])
def test_degrees_are_rejected_of_a_robot_that_declares_radians_and_told_where_it_declares_nothing(
    tmp_path, capsys, joint, status
):
    for number in (1, 2):
        record(tmp_path / f"bags/run_{number}", run(12))  # the elbow reaches 110, the others 11
    robot = tmp_path / "robot.yaml"
    robot.write_text(f"name: r\njoints: {{elbow: {joint}, '*': {{unit: deg}}}}")
    for module, words in (
        (prepare_data, ["--validation-nth", "2", "--size", "12", "--out", tmp_path / "store"]),
        (compute_statistics, ["--out", tmp_path / "r.yaml"]),
    ):
        assert module.main([*map(str, [tmp_path / "bags", "--robot", robot, *words])]) == status
        told = capsys.readouterr()
        rejected = "States: elbow: expected values in rad, as the robot r declares, got" in told.err
        assert rejected is (status == 2) and ("degrees for radians?" in told.out) is (joint == "{}")
        assert ("No unit is declared, so radians are assumed" in told.out) is (joint == "{}")


def test_a_union_has_every_dimension_once_with_the_wider_limits_and_one_unit():
    left = Embodiment(robot="l", dimensions=(Dimension(name="a", limits=(-1, 1)), Dimension(name="b")))
    right = Embodiment(robot="r", dimensions=(Dimension(name="a", limits=(-2, 0.5)), Dimension(name="c")))
    both = union([left, right])
    assert (both.robot, both.names, both.dimensions[0].limits) == ("l+r", ("a", "b", "c"), (-2, 1))
    with pytest.raises(BadConfig, match="one unit, rad"):
        union([left, Embodiment(robot="r", dimensions=(Dimension(name="a", unit="deg"),))])
    with pytest.raises(BadConfig, match="two meanings: b"):
        union([left, Embodiment(robot="r", dimensions=(Dimension(name="c", aliases=("b",)),))])
    assert union([read_embodiment(name) for name in embodiment_names()]).names[:2] == ("hip_yaw", "hip_roll")


def test_several_robots_train_together_with_missing_joints_at_their_mean(tmp_path):
    small = [
        m if m.topic == TOPICS.image else Message(m.topic, m.stamp_ns, (m.content[0], np.array(m.content[1]) / 100))
        for m in run(8)
    ]
    other = [
        m if m.topic == TOPICS.image else Message(m.topic, m.stamp_ns, (("j1", "j2"), (0.5, m.content[1][0])))
        for m in small
    ]
    record(tmp_path / "bags/run_0", small)
    record(tmp_path / "bags/run_1", other)
    embodiment, store = union([ONE, TWO]), tmp_path / "store"
    split = {"training": find_recordings(tmp_path / "bags", TOPICS)}
    assert not [one.fault for one in prepare_episodes(split, store, PREPROCESSING, embodiment=embodiment) if one.fault]
    manifest = fit_store_manifests(store, embodiment.description(), embodiment.aliases)["states"]
    assert manifest.names == ("neck_yaw", "elbow", "wrist", "ankle") and manifest.robot == "one+two"
    t = np.arange(1, 8)
    assert np.allclose(manifest.mean[0], t.mean() / 100) and np.allclose(
        manifest.mean[3], t.mean() / 100
    )  # of whom it is
    first, second = (Windows([one], manifest, 2, 3)[0].actions for one in open_store(store).training)
    assert torch.isfinite(first).all() and (first[:, 3] == 0).all() and (first[:, 0] != 0).any()
    assert (second[:, [0, 2]] == 0).all() and (second[:, 3] != 0).any()


def test_several_robots_may_have_cameras_of_several_shapes(tmp_path):
    wide = [
        m if m.topic == TOPICS.image else Message(m.topic, m.stamp_ns, (m.content[0], np.array(m.content[1]) / 100))
        for m in run(8)
    ]
    tall = [Message(m.topic, m.stamp_ns, picture(9, 40, 32)) if m.topic == TOPICS.image else m for m in wide]
    for number, messages in enumerate((wide, tall, wide, tall)):
        record(tmp_path / f"bags/run_{number}", messages)
    embodiments = [str(tmp_path / f"{one.robot}.yaml") for one in (ONE, TWO)]
    for path, embodiment in zip(embodiments, (ONE, TWO)):
        Path(path).write_text(yaml.safe_dump(embodiment.plain()))

    def prepared(store, *chosen):
        start = [str(tmp_path / "bags"), "--size", "12", "--validation-nth", "3", "--out", str(store)]
        return prepare_data.main([*start, "--embodiment", *chosen]), [one.name for one in open_store(store).training]

    assert prepared(tmp_path / "several", *embodiments) == (0, ["run_1", "run_2"])
    assert open_store(tmp_path / "several").preprocessing.source_aspect == 0
    assert (
        prepared(tmp_path / "one", embodiments[0])[0] == 1
    )  # a robot's camera has one shape: the other half is left out


def test_pictures_of_any_shape_are_cut_to_a_square_or_rejected():
    with pytest.raises(BadConfig, match="`crop` to be `centre_square`"):
        Preprocessing.parse({"source_aspect": 0, "crop": "none"})
    column = np.arange(9, dtype=np.uint8)  # of the picture; the square in its middle has columns 3, 4 and 5
    shown = Preprocessing(source_aspect=0, height=1, width=1).apply(np.broadcast_to(column[None, :, None], (3, 9, 3)))
    assert shown.tolist() == [[[4, 4, 4]]]


def test_the_live_node_knows_a_robot_s_joints_by_the_names_it_publishes(tmp_path):
    record(tmp_path / "bags/run_0", run(6))
    split = {"training": find_recordings(tmp_path / "bags", TOPICS)}
    wide = Embodiment(
        robot="w",
        dimensions=tuple(Dimension(name=f"my_{n}", unit="m", aliases=(n,)) for n in ("neck", "elbow", "wrist")),
    )
    list(prepare_episodes(split, tmp_path / "store", PREPROCESSING, embodiment=wide))
    manifest = fit_store_manifests(tmp_path / "store", wide.description(), wide.aliases)["states"]
    context = Context(manifest, PREPROCESSING, 1)
    context.add_states(1_000_000_000, ("wrist", "neck", "elbow"), (3.0, 1.0, 2.0))
    assert context.newest_action().tolist() == [1.0, 2.0, 3.0]
    bag, robot = tmp_path / "bags/run_0", PREPROCESSING
    replayed, _ = BagRecording(bag, TOPICS).read(robot, manifest.names, aliases=manifest.aliases)
    assert replayed.names == manifest.names and replayed.states[-1].tolist() == [5.0, 50.0, -5.0]
    assert manifest.match(["wrist", "elbow", "neck"]).tolist() == [2, 1, 0]


def test_frames_that_repeat_are_left_out_when_asked_and_those_skipped_take_their_actions_along(tmp_path):
    messages = run(40)
    for m in messages:
        if m.topic == TOPICS.image and m.content[0, 0, 0] % 4 == 3:
            m.content[:] -= 1
    (recording,) = find_recordings(record(tmp_path / "run_0", messages), TOPICS)
    fresh, report = recording.read(PREPROCESSING.model_copy(update={"drop_repeats": True, "frame_rate_hz": 15}))
    assert report.repeats == 10 and report.gaps == 0
    assert (fresh.frames[1:, 0, 0, 0] != fresh.frames[:-1, 0, 0, 0]).all()
    every_third, _ = recording.read(PREPROCESSING.model_copy(update={"frame_rate_hz": 10}))
    assert (np.diff(every_third.states[:, 0]) == pytest.approx(3, abs=1e-3)) and every_third.states[0, 0] % 1 == 0


def test_the_commands_inspect_verify_split_measure_and_prepare(tmp_path, capsys):
    for number in range(4):
        record(tmp_path / f"bags/run_{number}", run(10))

    call, bags, out = run_command, tmp_path / "bags", tmp_path / "out"
    assert call("inspect", bags, "--episodes", 1, "--sheets", out / "sheets", "--dimensions") == 0
    assert "images        10 at 30.00 Hz" in capsys.readouterr().out
    assert (out / "sheets/run_1.png").exists()
    assert call("verify", bags) == 0
    assert call("split", bags, "--nth", 3, "--out", out / "split.yaml") == 0
    assert call("statistics", bags, "--robot", "r", "--out", out / "r.yaml") == 0
    assert "neck" in capsys.readouterr().out
    assert call("convert", bags, "--to", "lerobot-v3.0", "--codec", "lossless", "--out", out / "set") == 0
    assert "lost: time of day" in capsys.readouterr().out
    assert call("convert", out / "set", "--to", "lerobot-v2.1", "--out", out / "old") == 0
    assert open_lerobot(out / "old").episodes == (0, 1, 2, 3)
    store = ("--robot", "r", "--size", 12, "--split", out / "split.yaml", "--frame-skip", 1, "--out", out / "store")
    assert call("prepare", bags, *store) == 0
    opened = open_store(out / "store")
    assert [one.name for one in opened.validation] == ["run_0", "run_3"] and opened.preprocessing.frame_rate_hz == 15
    assert call("verify", out / "store") == 0
    (bags / "run_2/run_2.mcap").write_bytes(b"")
    assert call("verify", bags) == 1
    assert "fault: run_2" in capsys.readouterr().out
    assert call("inspect", tmp_path / "nowhere") == 2


def test_a_damaged_data_set_in_a_folder_is_named_and_costs_no_other_one(tmp_path, capsys):
    folder, out = tmp_path / "all", tmp_path / "out"
    for number in (1, 2):
        record(folder / f"bags/run_{number}", run(8))
    for name in ("damaged", "sound"):
        lerobot_dataset(folder / name, (0,), frames=8)
    (folder / "damaged/meta/info.json").write_text('{"fps": 30')

    def call(*words):
        status, told = run_command(*words), capsys.readouterr()
        assert "damaged/meta/info.json: expected a JSON object" in told.out + told.err
        return status, told.out

    status, told = call("verify", folder)
    assert status == 1 and told.endswith("1 faults, 5 notes\n")  # a frame without a command in each; 2 of `sound`
    status, told = call("inspect", folder)
    assert status == 1 and all(f"{name}  " in told for name in ("run_1", "run_2", "sound_000000"))
    status, told = call("convert", folder, "--to", "rosbag2", "--out", out / "bags")
    assert status == 1 and "3 recordings as rosbag2" in told and len(list((out / "bags").iterdir())) == 3
    assert call("split", folder, "--nth", 2, "--out", out / "split.yaml")[0] == 1
    store = ("--robot", "r", "--size", 12, "--validation-nth", 2, "--out", out / "store")
    status, told = call("prepare", folder, *store)
    assert status == 1 and len(open_store(out / "store").training) == 1
    assert call("statistics", folder, "--robot", "r")[0] == 2  # of a part they would be, and not say so
    for words in (["inspect"], ["convert", "--to", "rosbag2", "--out", out / "none"]):
        assert call(words[0], folder / "damaged", *words[1:])[0] == 2


def test_a_camera_chosen_among_several_is_alone_in_the_other_version_too_and_where_it_is_alone_nothing_is_decoded(
    tmp_path, capsys
):
    head, hand = "observation.images.head", "observation.images.hand"
    old = lerobot_dataset(tmp_path / "old", (0,), frames=5)

    def converted(out, *options):
        """Cameras of the new set, and whether pictures were encoded anew."""
        words = [old, "--to", "lerobot-v3.0", "--out", tmp_path / out, *options]
        assert convert_data.main([*map(str, words)]) == 0
        return open_lerobot(tmp_path / out).cameras, "lost: image quality: codec" in capsys.readouterr().out

    assert converted("alone", "--camera", head) == ((head,), False)
    info = (old / "meta/info.json").read_text()
    (old / "meta/info.json").write_text(info.replace("observation.images.absent", hand))
    shutil.copytree(old / "videos/chunk-000" / head, old / "videos/chunk-000" / hand)
    assert converted("all") == ((hand, head), False)
    assert converted("chosen", "--camera", head) == ((head,), True)


@pytest.mark.realdata
def test_the_real_sets_fit_their_layouts():
    for folder, name in (("g1_yellow_bottle", "unitree_g1_inspire"), ("gr1_sim_picknplace", "fourier_gr1")):
        dataset = open_lerobot(real_data(folder))
        assert (read_embodiment(name).columns(dataset.state_names) >= 0).all()


def test_the_name_of_a_layout_is_not_taken_for_a_robot_of_whose_joints_nothing_is_known(tmp_path, capsys):
    record(tmp_path / "run", run(8))
    store = ("--robot", "unitree_g1_inspire", "--validation-nth", "2", "--out", str(tmp_path / "store"))
    assert prepare_data.main([str(tmp_path / "run"), *store]) == 2
    assert "Give --embodiment unitree_g1_inspire in its place" in capsys.readouterr().err
    assert not (tmp_path / "store").exists()
