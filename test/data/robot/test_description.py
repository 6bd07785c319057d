"""Robot descriptions: nothing of a robot's file is read only in part, because its limits bound a planner."""

import numpy as np
import pytest

from hwm_core.data.recording.timeline import AlignedJoints
from hwm_core.data.robot.description import Robot, read_robot
from hwm_core.data.robot.embodiment import Embodiment
from hwm_core.data.robot.fit_manifests import fit_manifests
from hwm_core.errors import BadActions, BadConfig

NAMES = ("left_elbow", "right_elbow", "neck")


def robot(**joints):
    return Robot.parse({"name": "r", "joints": joints}, where="robot.yaml")


def fit(values, **joints):
    """Fit the manifests of joints whose values, in columns, are `values`."""
    series = AlignedJoints("run", NAMES, np.asarray(values, dtype=np.float32), None)
    return fit_manifests([series], robot(**joints), None)["states"]


def swing(size=1.0, offset=0.0):
    return offset + size * np.sin(np.linspace(0, 20, 200))[:, None] * np.ones(3)


def test_a_robot_is_described_by_joint_names_or_by_patterns():
    described = robot(left_gripper={"unit": "m", "limits": [0, 0.05]}, **{"left_*": {"limits": [-1, 1]}})
    joints = [described.joint(name) for name in ("left_gripper", "left_elbow", "neck")]
    assert [joint.unit for joint in joints] == ["m", "rad", "rad"]
    assert [joint.limits for joint in joints] == [(0, 0.05), (-1, 1), None]


@pytest.mark.parametrize("limits", [[1, -1], [1, 1], [0, ".nan"], ["-.inf", ".inf"], [0], [0, 1, 2], ["a", "b"]])
def test_limits_are_two_finite_numbers_that_rise(limits, tmp_path):
    path = tmp_path / "robot.yaml"
    path.write_text(f"name: r\njoints:\n  neck: {{limits: [{', '.join(map(str, limits))}]}}\n")
    with pytest.raises(BadConfig, match="limits"):
        read_robot(str(path))


@pytest.mark.parametrize(
    ("word", "meant"),
    [("degree", "deg"), ("degrees", "deg"), ("Deg", "deg"), ("radian", "rad"), ("radians", "rad"), ("rad_s", "rad/s")],
)
def test_an_unknown_unit_is_rejected_with_the_unit_that_was_meant(word, meant):
    with pytest.raises(BadConfig, match=f"did you mean `{meant}`"):
        robot(neck={"unit": word})


@pytest.mark.parametrize("word", ["mm", "meter", "percent", "", "rad/s2", "°"])
def test_any_other_unit_is_rejected_with_the_known_ones(word):
    with pytest.raises(BadConfig, match="expected rad, deg, m, rad/s, m/s or unit"):
        robot(neck={"unit": word})


@pytest.mark.parametrize(
    "joint",
    [
        {"limits": [-60, 120]},  # degrees
        {"unit": "rad", "limits": [-1, 120]},
        {"unit": "deg", "limits": [-1000, 1000]},
        {"unit": "unit", "limits": [0, 100]},  # per cent
        {"unit": "unit", "limits": [0, 255]},
        {"max_velocity": 180},  # degrees
        {"unit": "unit", "max_velocity": 255},
        {"max_acceleration": 5000},
        {"unit": "m", "max_velocity": 250},  # millimetres
    ],
)
def test_limits_that_no_joint_of_the_unit_has_are_rejected(joint):
    with pytest.raises(BadConfig, match=r"joints\.neck: expected `(limits|max_\w+)` in the `unit`"):
        robot(neck=joint)


@pytest.mark.parametrize("joint", [{"limit": [0, 1]}, {"units": "rad"}, {"max_speed": 1}, {"limits": [0, 1], "x": 1}])
def test_unknown_keys_are_rejected(joint):
    with pytest.raises(BadConfig, match=r"unknown key `joints\.neck\."):
        robot(neck=joint)


@pytest.mark.parametrize("text", ["name: r\nname: s\n", "name: r\njoints:\n  neck: {unit: rad}\n  neck: {unit: deg}\n"])
def test_repeated_keys_are_rejected(tmp_path, text):
    path = tmp_path / "robot.yaml"
    path.write_text(text)
    with pytest.raises(BadConfig, match="twice"):
        read_robot(str(path))


@pytest.mark.parametrize(
    ("joints", "message"),
    [
        ({"left_elbo": {}}, "Did you mean `left_elbow`"),
        ({"*_knee": {}}, "no joint of this name"),
        ({"LEFT_*": {}}, "no joint of this name"),
        ({"neck": {}, "torso": {"limits": [-1, 1]}}, r"joints\.torso"),
        ({"*": {}, "neck": {"limits": [-1, 1]}}, "Move it before `\\*`"),
        ({"left_*": {}, "*_elbow": {}, "left_elbow": {}}, "Move it before `left_\\*`"),
    ],
)
def test_an_entry_that_describes_no_joint_is_rejected(joints, message):
    with pytest.raises(BadConfig, match=message):
        robot(**joints).require_used(NAMES)
    with pytest.raises(BadConfig, match=message):
        fit(swing(), **joints)


def test_overlapping_entries_are_accepted_where_each_describes_a_joint():
    robot(**{"left_*": {}, "*_elbow": {}, "*": {}}).require_used(NAMES)


@pytest.mark.parametrize(
    ("values", "joint"),
    [
        (swing(1.0), {"unit": "deg", "limits": [-60, 120]}),  # radians were recorded
        (swing(60.0), {"unit": "deg", "limits": [-1.0, 2.1]}),  # limits in radians
        (swing(60.0) * (np.arange(200) > 120)[:, None], {"unit": "deg", "limits": [-1.0, 2.1]}),  # mostly at rest
        (swing(0.5), {"limits": [5, 6]}),
        (swing(0.02, 0.02), {"unit": "m", "limits": [0, 45]}),  # millimetres
        (swing(0.5), {"unit": "m/s", "limits": [-1000, 1000]}),
        (swing(1.0), {"unit": "rad/s", "limits": [-180, 180]}),
    ],
)
def test_limits_out_of_reason_for_the_values_are_rejected(values, joint):
    with pytest.raises(BadActions, match="left_elbow"):
        fit(values, **{"*": joint})


@pytest.mark.parametrize(
    ("values", "joint"),
    [
        (swing(0.001), {"limits": [-1.5, 1.5]}),  # a neck at rest
        (swing(1.0), {"limits": [-0.9, 0.9]}),  # narrower on purpose
        (swing(60.0), {"unit": "deg", "limits": [-180, 180]}),
        (swing(0.02, 0.02), {"unit": "m", "limits": [0, 0.045]}),
        (swing(0.5, 0.5), {"unit": "unit", "limits": [0, 1]}),
    ],
)
def test_limits_within_reason_are_kept(values, joint):
    manifest = fit(values, **{"*": joint})
    assert (manifest.lower, manifest.upper) == tuple((float(limit),) * 3 for limit in joint["limits"])


def test_the_limits_of_an_embodiment_are_checked_too():
    with pytest.raises(BadConfig, match="lower < upper"):
        Embodiment.parse({"robot": "r", "dimensions": [{"name": "neck", "limits": [1, -1]}]})


@pytest.mark.parametrize("name", ["robots/g1.txt", "robot.json", "robot.urdf"])
def test_a_file_that_is_not_yaml_is_not_taken_for_the_name_of_a_robot(name):
    with pytest.raises(BadConfig, match="a YAML file"):
        read_robot(name)
    assert read_robot("my_robot").joints == {}
