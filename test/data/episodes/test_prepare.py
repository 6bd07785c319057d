"""Preparing recordings as an episode store: units, several robots, repeated images."""

from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from recordings import PREPROCESSING, TOPICS, Message, picture, record, run

from hwm_core.data.discover import find_recordings
from hwm_core.data.episodes.prepare import fit_store_manifests, prepare_episodes
from hwm_core.data.episodes.store import open_store
from hwm_core.data.episodes.windows import Windows
from hwm_core.data.robot.embodiment import Dimension, Embodiment, union
from training import compute_statistics, prepare_data

ONE = Embodiment(
    robot="one",
    dimensions=(Dimension(name="neck_yaw", aliases=("neck",)), Dimension(name="elbow"), Dimension(name="wrist")),
)


TWO = Embodiment(
    robot="two", dimensions=(Dimension(name="elbow", aliases=("j1",)), Dimension(name="ankle", aliases=("j2",)))
)


@pytest.mark.parametrize(("joint", "status"), [("{unit: rad}", 2), ("{unit: deg}", 0), ("{}", 0)])
def test_degrees_are_rejected_when_radians_are_declared_and_give_a_warning_when_no_unit_is(
    tmp_path, capsys, joint, status
):
    for number in (1, 2):
        record(tmp_path / f"bags/run_{number}", run(12))  # the elbow reaches 110, the other joints 11
    robot = tmp_path / "robot.yaml"
    robot.write_text(f"name: r\njoints: {{elbow: {joint}, '*': {{unit: deg}}}}")
    for module, words in (
        (prepare_data, ["--validation-nth", "2", "--size", "12", "--out", tmp_path / "store"]),
        (compute_statistics, ["--out", tmp_path / "r.yaml"]),
    ):
        assert module.main([*map(str, [tmp_path / "bags", "--robot", robot, *words])]) == status
        output = capsys.readouterr()
        rejected = "States: elbow: expected values in rad, as the robot r declares, got" in output.err
        assert rejected is (status == 2) and ("degrees for radians?" in output.out) is (joint == "{}")
        assert ("No unit is declared, so radians are assumed" in output.out) is (joint == "{}")


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


def test_several_robots_may_have_cameras_of_different_aspects(tmp_path):
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
    )  # one robot has cameras of one aspect: the other half is left out


def test_repeated_images_are_dropped_on_request_and_skipped_frames_skip_their_actions(tmp_path):
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


def test_the_name_of_an_embodiment_is_rejected_as_a_robot_name(tmp_path, capsys):
    record(tmp_path / "run", run(8))
    store = ("--robot", "unitree_g1_inspire", "--validation-nth", "2", "--out", str(tmp_path / "store"))
    assert prepare_data.main([str(tmp_path / "run"), *store]) == 2
    assert "Give --embodiment unitree_g1_inspire in its place" in capsys.readouterr().err
    assert not (tmp_path / "store").exists()
