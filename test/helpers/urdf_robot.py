"""A robot with an arm of six joints as a URDF, with what makes real files hard: turned origins, joints in between."""

from pathlib import Path

import numpy as np

from hwm_core.data.robot.manifest import ActionManifest, fit_manifest

ARM = ("shoulder_pan", "shoulder_lift", "upper_roll", "elbow", "forearm_roll", "wrist")
NAMES = ("head_pan", *ARM, "gripper")

_JOINT = """
  <joint name="{name}" type="{kind}">
    <parent link="{parent}"/> <child link="{child}"/>
    <origin xyz="{xyz}" rpy="{rpy}"/> <axis xyz="{axis}"/> {limit}
  </joint>"""
_LIMIT = '<limit lower="{low}" upper="{high}" effort="10" velocity="2"/>'
_JOINTS = (  # name, type, parent, child, xyz, rpy, axis, limits
    ("lift", "prismatic", "base", "torso", "0 0 0.3", "0 0 0.2", "0 0 1", (0, 0.4)),
    ("shoulder_mount", "fixed", "torso", "shoulder", "0.05 -0.2 0.1", "0.3 -0.2 0.1", "1 0 0", None),
    ("head_pan", "revolute", "torso", "head", "0 0 0.4", "0 0 0", "0 0 1", (-1, 1)),
    ("shoulder_pan", "revolute", "shoulder", "a", "0 0 0.05", "0 0 -0.4", "0 0 1", (-2, 2)),
    ("shoulder_lift", "revolute", "a", "b", "0.1 0 0", "-1.57 0 0", "0 0 2", (-2, 2)),
    ("upper_roll", "revolute", "b", "c", "0.1 0 0", "0 1.2 0", "1 0 0", (-3, 3)),
    ("elbow", "revolute", "c", "d", "0.2 0 0.02", "0 0 0", "0 1 0", (-2.5, 0.1)),
    ("forearm_roll", "continuous", "d", "e", "0.1 0.01 0", "0.1 0 0", "1 0 0", None),
    ("wrist", "revolute", "e", "f", "0.2 0 0", "0 0 0.5", "0 1 1", (-2, 2)),
    ("palm_mount", "fixed", "f", "palm", "0.1 0 0.02", "0 0.4 0", "1 0 0", None),
    ("gripper", "prismatic", "palm", "finger", "0.05 0 0", "0 0 0", "0 1 0", (0, 0.05)),
)
_LINK = """
  <link name="{name}"><inertial><mass value="1"/><inertia ixx="1" iyy="1" izz="1" ixy="0" ixz="0" iyz="0"/></inertial>
  </link>"""


def urdf() -> str:
    """The file's text."""
    links = "".join(_LINK.format(name=name) for name in ("base", *(joint[3] for joint in _JOINTS)))
    joints = "".join(
        _JOINT.format(
            name=name,
            kind=kind,
            parent=parent,
            child=child,
            xyz=xyz,
            rpy=rpy,
            axis=axis,
            limit="" if ends is None else _LIMIT.format(low=ends[0], high=ends[1]),
        )
        for name, kind, parent, child, xyz, rpy, axis, ends in _JOINTS
    )
    transmission = '<transmission name="t"><joint name="elbow"><hardwareInterface>x</hardwareInterface></joint>'
    compiler = '<mujoco><compiler fusestatic="false"/></mujoco>'
    return f'<robot name="r">{compiler}{links}{joints}\n  {transmission}</transmission>\n</robot>'


def write_urdf(folder: Path) -> str:
    """Write robot.urdf and return its path."""
    path = folder / "robot.urdf"
    path.write_text(urdf())
    return str(path)


def robot_manifest(names: tuple[str, ...] = NAMES) -> ActionManifest:
    """Commands of the robot, whose usual posture is bent."""
    low, high = np.full(len(names), -2.0), np.full(len(names), 2.0)
    values = np.random.default_rng(0).normal(0.3, 0.1, (50, len(names)))
    return fit_manifest(
        "urdf_robot", "commands", names, ["rad"] * len(names), values, list(zip(low, high, strict=True))
    )
