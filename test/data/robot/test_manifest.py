"""The action manifest: joint names, normalisation, and robots that do not match."""

import numpy as np
import pytest
import torch

from hwm_core.data.robot.manifest import ActionManifest, fit_manifest
from hwm_core.errors import BadActions, BadConfig, RobotMismatch

NAMES = ("neck", "elbow", "locked")


# Means 1, 10, 5; standard deviations 1, 20 and none.
VALUES = np.array([[0.0, -10.0, 5.0], [2.0, 30.0, 5.0]])


def manifest(**options):
    return fit_manifest("robot", "states", NAMES, ("rad", "rad", "m"), VALUES, **options)


def test_normalised_training_values_have_mean_0_and_deviation_1_and_constant_joints_are_0():
    normal = manifest().normalise(VALUES)
    assert np.array_equal(normal, [[-1, -1, 0], [1, 1, 0]])
    # A joint that never moved in training is ignored, wherever it is now.
    assert manifest().normalise(np.array([1.0, 10.0, 99.0])).tolist() == [0, 0, 0]


def test_tensors_and_arrays_keep_their_type_and_precision():
    array = VALUES.astype(np.float32)
    tensor = torch.from_numpy(array)
    assert manifest().normalise(array).dtype == np.float32
    assert manifest().normalise(tensor).dtype == torch.float32
    assert np.array_equal(manifest().normalise(array), manifest().normalise(tensor).numpy())


def test_sensor_noise_on_a_locked_joint_is_not_amplified():
    noise = np.random.default_rng(0).normal(0, 1e-5, (1000, 1))
    fitted = fit_manifest("robot", "states", ["locked"], ["rad"], noise)
    assert fitted.constant == (True,)
    assert not fitted.normalise(noise).any()


def test_limits_are_the_given_ones_or_the_extremes_of_the_values():
    assert manifest().lower == (0, -10, 5) and manifest().upper == (2, 30, 5)
    given = manifest(limits=[(-1, 3), None, (0, 9)])
    assert given.lower == (-1, -10, 0) and given.upper == (3, 30, 9)


def test_degrees_with_limits_in_radians_are_rejected_with_the_joint():
    with pytest.raises(BadActions, match=r"elbow: expected .* -1.5 and 1.5 .*-10 to 30.*in the units"):
        manifest(limits=[None, (-1.5, 1.5), None])


def test_joints_are_found_by_name_in_any_order():
    given = ("leg", "locked", "neck", "elbow")
    index = manifest().match(given)
    assert np.array(given)[index].tolist() == list(NAMES)


def test_a_robot_without_the_joints_is_rejected_with_their_names():
    with pytest.raises(RobotMismatch, match=r"among them elbow.*unknown: left_elbow, hip.*may now be `left_elbow`"):
        manifest().match(("neck", "left_elbow", "locked", "hip"))
    with pytest.raises(RobotMismatch, match="among them neck, elbow, locked"):
        manifest().match(())


def test_joints_that_share_a_name_are_rejected_but_unused_joints_may_share_one():
    with pytest.raises(RobotMismatch, match="expected each name once, got neck more than once"):
        manifest().match(("neck", "elbow", "neck", "locked"))
    with pytest.raises(RobotMismatch, match="neck more than once"):
        manifest(aliases={"head": "neck"}).match(("neck", "elbow", "locked", "head"))
    with pytest.raises(RobotMismatch, match=r"robot `r`.*a more than once"):
        fit_manifest("r", "states", ("a", "b", "a"), ("rad", "rad", "m"), VALUES)
    assert manifest().match((*NAMES, "leg", "leg")).tolist() == [0, 1, 2]


@pytest.mark.parametrize("shape", [(2,), (5, 4), (3, 1), ()])
def test_vectors_of_another_size_are_rejected(shape):
    with pytest.raises(BadActions, match="neck, elbow, locked"):
        manifest().normalise(np.zeros(shape))


@pytest.mark.parametrize("values", [np.zeros((0, 3)), np.zeros((5, 2)), np.zeros(3)])
def test_statistics_of_nothing_are_rejected(values):
    with pytest.raises(BadActions):
        fit_manifest("robot", "states", NAMES, ("rad",) * 3, values)


def test_statistics_of_nan_are_rejected_with_the_joint():
    with pytest.raises(BadActions, match="elbow"):
        fit_manifest("robot", "states", NAMES, ("rad",) * 3, np.array([[0, np.nan, 0]]))


def test_a_manifest_survives_yaml_bit_for_bit():
    assert ActionManifest.parse(manifest().plain()) == manifest()


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "wishes"},
        {"units": ["rad"]},
        {"names": ["neck", "neck", "locked"]},
        {"std": [1, 0, 1]},
        {"mean": [0, float("nan"), 0]},
        {"upper": [1, float("inf"), 1]},
    ],
)
def test_a_manifest_that_contradicts_itself_is_rejected(change):
    with pytest.raises(BadConfig):
        ActionManifest.parse({**manifest().plain(), **change})
