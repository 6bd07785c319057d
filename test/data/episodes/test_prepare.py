"""Preparing recordings as an episode store: resuming, splits, units, several robots, repeated images."""

from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from command import hwm
from recordings import (
    NAMES,
    PREPROCESSING,
    TOPICS,
    Message,
    grey_image,
    lerobot_dataset,
    real_data,
    record,
    recording_at,
    run,
)

from hwm_core.data.discover import find_recordings
from hwm_core.data.episodes.prepare import fit_store_manifests, prepare_episodes
from hwm_core.data.episodes.store import open_store
from hwm_core.data.episodes.windows import Windows
from hwm_core.data.recording.preprocessing import Preprocessing
from hwm_core.data.robot.description import Joint, Robot
from hwm_core.data.robot.embodiment import Dimension, Embodiment, union
from hwm_core.errors import BadBag, BadInput

ONE = Embodiment(
    robot="one",
    dimensions=(Dimension(name="neck_yaw", aliases=("neck",)), Dimension(name="elbow"), Dimension(name="wrist")),
)
TWO = Embodiment(
    robot="two", dimensions=(Dimension(name="elbow", aliases=("j1",)), Dimension(name="ankle", aliases=("j2",)))
)


@pytest.fixture
def recordings(tmp_path):
    """The episodes 0 and 3 of a LeRobot dataset."""
    return find_recordings(lerobot_dataset(tmp_path / "set"), TOPICS)


def prepare(recordings, store, preprocessing=PREPROCESSING, **options):
    return list(prepare_episodes({"training": recordings}, store, preprocessing, **options))


def test_a_stopped_preparation_is_resumed(recordings, tmp_path):
    store = tmp_path / "store"
    assert [one.report.frames for one in prepare(recordings[:1], store)] == [19]
    partial = store / "training" / ".set_000003.partial"  # a killed process leaves this folder
    partial.mkdir()
    assert [one.report is None for one in prepare(recordings, store)] == [True, False]
    assert not partial.exists()
    assert len(open_store(store).training) == 2


def test_an_unusable_recording_is_reported_and_the_rest_are_prepared(recordings, tmp_path):
    (tmp_path / "set/videos/chunk-000/observation.images.head/episode_000000.mp4").write_bytes(b"")
    bad, good = prepare(recordings, tmp_path / "store")
    assert "episode_000000.mp4" in bad.fault and not good.fault
    assert [one.name for one in open_store(tmp_path / "store").training] == ["set_000003"]


def test_a_store_has_one_preprocessing_and_an_episode_one_split(recordings, tmp_path):
    store = tmp_path / "store"
    prepare(recordings, store)
    with pytest.raises(BadBag, match="preprocessing"):
        prepare(recordings, store, Preprocessing(source_aspect=4 / 3, height=16, width=16))
    with pytest.raises(BadBag, match="in validation/"):
        list(prepare_episodes({"validation": recordings}, store, PREPROCESSING))


def test_recordings_of_another_robot_are_rejected_before_anything_is_written_to_the_store(recordings, tmp_path):
    store = tmp_path / "store"
    prepare(recordings[:1], store)
    (before,) = open_store(store).training
    with pytest.raises(BadBag, match=r"first episode: joints .*, got joints other"):
        prepare(recordings[1:], store, names=["other"])
    (after,) = open_store(store).training
    assert after.name == before.name


def test_a_recording_in_both_splits_is_rejected(recordings, tmp_path):
    split = {"training": recordings, "validation": recordings[1:]}
    with pytest.raises(BadBag, match="1 names twice, the first `set_000003`"):
        list(prepare_episodes(split, tmp_path / "store", PREPROCESSING))
    assert not (tmp_path / "store").exists()


def test_several_processes_prepare_the_same_store_as_one(recordings, tmp_path):
    prepare(recordings, tmp_path / "one")
    prepare(recordings, tmp_path / "two", names=NAMES, workers=2)
    pairs = list(zip(open_store(tmp_path / "one").training, open_store(tmp_path / "two").training, strict=True))
    assert len(pairs) == len(recordings)
    for one, two in pairs:
        assert np.array_equal(one.frames, two.frames) and np.array_equal(one.states, two.states)


def test_statistics_are_measured_on_the_training_split_only(tmp_path):
    # The validation recording moves three times as far; its values would change mean and deviation.
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


@pytest.mark.realdata
def test_gr1_has_25_constant_actions(tmp_path):
    folder = real_data("gr1_sim_picknplace")
    with pytest.raises(BadInput, match=r"images\.egoview.*images\.ego_view"):
        recording_at(folder, 0, "observation.images.egoview").read(PREPROCESSING)
    outcomes = prepare(find_recordings(folder, TOPICS), tmp_path, Preprocessing(source_aspect=1.0, frame_rate_hz=20))
    assert [bool(one.fault) for one in outcomes] == [False] * 4
    assert sum(fit_store_manifests(tmp_path, Robot(name="gr1"))["commands"].constant) == 25


@pytest.mark.parametrize(("joint", "status"), [("{unit: rad}", 2), ("{unit: deg}", 0), ("{}", 0)])
def test_degrees_are_rejected_when_radians_are_declared_and_give_a_warning_when_no_unit_is(
    tmp_path, capsys, joint, status
):
    for number in (1, 2):
        record(tmp_path / f"bags/run_{number}", run(12))  # the elbow reaches 110, the other joints 11
    robot = tmp_path / "robot.yaml"
    robot.write_text(f"name: r\njoints: {{elbow: {joint}, '*': {{unit: deg}}}}")
    for command, words in (
        ("prepare", ["--validation-nth", "2", "--size", "12", "--out", tmp_path / "store"]),
        ("statistics", ["--out", tmp_path / "r.yaml"]),
    ):
        assert hwm(command, tmp_path / "bags", "--robot", robot, *words) == status
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
    tall = [Message(m.topic, m.stamp_ns, grey_image(9, 40, 32)) if m.topic == TOPICS.image else m for m in wide]
    for number, messages in enumerate((wide, tall, wide, tall)):
        record(tmp_path / f"bags/run_{number}", messages)
    embodiments = [str(tmp_path / f"{one.robot}.yaml") for one in (ONE, TWO)]
    for path, embodiment in zip(embodiments, (ONE, TWO)):
        Path(path).write_text(yaml.safe_dump(embodiment.plain()))

    def prepared(store, *chosen):
        start = [str(tmp_path / "bags"), "--size", "12", "--validation-nth", "3", "--out", str(store)]
        return hwm("prepare", *start, "--embodiment", *chosen), [one.name for one in open_store(store).training]

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
    assert hwm("prepare", str(tmp_path / "run"), *store) == 2
    assert "Use --embodiment unitree_g1_inspire instead" in capsys.readouterr().err
    assert not (tmp_path / "store").exists()
