"""Speed and acceleration limits of joints, from a robot's YAML file or its URDF."""

from collections.abc import Mapping, Sequence
from math import inf
from pathlib import Path

from hwm_core.data.robot.description import Joint, Robot
from hwm_core.data.robot.units import REACH
from hwm_core.errors import RobotMismatch
from hwm_core.planning.joint_space import SECONDS_TO_FULL_SPEED
from hwm_core.planning.urdf import read_urdf

_FASTEST = REACH["rad"].velocity


def read_speed_limits(path: str | Path, names: Sequence[str], max_velocity: float) -> tuple[list[float], list[float]]:
    """Speed limits [A] and acceleration limits [A] of joints, in joint units per second, and per second squared.

    Args:
        path: a robot's YAML file (`max_velocity` and `max_acceleration` of its joints), or a URDF (`velocity` of each
            `<limit>`; URDF has no accelerations).
        names: of the joints.
        max_velocity: no limit is higher; also the limit of joints that the file does not limit.

    Raises:
        BadConfig: not a URDF, not a robot's YAML file, or a limit that is not positive.
        RobotMismatch: the file limits none of the joints.
    """
    path = Path(path)
    known = _of_urdf(path) if path.suffix in (".urdf", ".xml") else _of_robot(Robot.read(path), names)
    if not any(name in known for name in names):
        raise RobotMismatch(
            f"Speed limits in {path}",
            expected=f"limits of {', '.join(names)}",
            got=", ".join(known) or "none",
            remedy="Use the file of the robot that the checkpoint was trained for.",
        )
    joints = [known.get(name, Joint()) for name in names]
    speeds = [min(joint.max_velocity or max_velocity, max_velocity) for joint in joints]
    accelerations = [
        joint.max_acceleration or speed / SECONDS_TO_FULL_SPEED for joint, speed in zip(joints, speeds, strict=True)
    ]
    return speeds, accelerations


def _of_robot(robot: Robot, names: Sequence[str]) -> Mapping[str, Joint]:
    joints = {name: robot.joint(name) for name in names}
    return {name: joint for name, joint in joints.items() if joint.max_velocity or joint.max_acceleration}


def _of_urdf(path: Path) -> Mapping[str, Joint]:
    joints = {}
    for joint in read_urdf(path).findall("joint"):
        limit = joint.find("limit")
        if limit is not None and "velocity" in limit.attrib:
            speed = _number(limit.attrib["velocity"])
            if isinstance(speed, float) and _FASTEST < speed < inf:
                speed = _FASTEST  # many URDFs state 100 or 1000 for an unknown limit; the planner's own is lower
            joints[joint.get("name", "")] = Joint.parse({"max_velocity": speed}, str(path))
    return joints


def _number(text: str) -> float | str:
    """A number, or the text itself, which the configuration rejects with its place."""
    try:
        return float(text)
    except ValueError:
        return text
