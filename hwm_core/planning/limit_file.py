"""Limits of joints that a robot's YAML file or its URDF states, together with those of a model."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import degrees, inf
from pathlib import Path
from xml.etree.ElementTree import Element

from hwm_core.data.robot.description import Joint, Robot
from hwm_core.data.robot.manifest import ActionManifest
from hwm_core.data.robot.units import REACH
from hwm_core.errors import BadConfig, RobotMismatch
from hwm_core.planning.joint_space import SECONDS_TO_FULL_SPEED
from hwm_core.planning.urdf import read_urdf

_IN_UNIT = {  # factors from the units of a URDF
    ("revolute", "rad"): 1.0,
    ("continuous", "rad"): 1.0,
    ("revolute", "deg"): degrees(1.0),
    ("continuous", "deg"): degrees(1.0),
    ("prismatic", "m"): 1.0,
}


@dataclass(frozen=True)
class JointLimits:
    """Limits of A joints in joint units, per second, and per second squared."""

    lower: list[float]
    upper: list[float]
    velocity: list[float]
    acceleration: list[float]


def read_limits(path: str | Path, manifest: ActionManifest, max_velocity: float) -> JointLimits:
    """The limits of a model's joints, narrowed by those of a file.

    A URDF has positions (`<limit>`, and the soft limits of `<safety_controller>`) and speeds, but no accelerations. It
    limits the joints whose unit in the model is that of their type: rad or deg of turning joints, m of sliding ones.

    Args:
        path: a robot's YAML file (`limits`, `max_velocity` and `max_acceleration` of its joints), or a URDF.
        manifest: of the model: joints, aliases and position limits; no file makes these wider.
        max_velocity: no speed limit is higher; also the limit of joints that the file does not limit.

    Raises:
        BadConfig: not a URDF, not a robot's YAML file, a speed that is not positive, or position limits that leave a
            joint no range.
        RobotMismatch: the file limits none of the joints.
    """
    path = Path(path)
    known = _of_urdf(path, manifest) if path.suffix in (".urdf", ".xml") else _of_robot(Robot.read(path), manifest)
    if not known:
        raise RobotMismatch(
            f"Limits in {path}",
            expected=f"limits of {', '.join(manifest.names)}",
            got="none of them, by these names and in their units",
            remedy="Use the file of the robot that the checkpoint was trained for.",
        )
    joints = [known.get(name, Joint()) for name in manifest.names]
    speeds = [min(joint.max_velocity or max_velocity, max_velocity) for joint in joints]
    accelerations = [
        joint.max_acceleration or speed / SECONDS_TO_FULL_SPEED for joint, speed in zip(joints, speeds, strict=True)
    ]
    limits = JointLimits(list(manifest.lower), list(manifest.upper), speeds, accelerations)
    for index, joint in enumerate(joints):
        if joint.limits is not None:
            _narrow(limits, index, joint.limits, f"{path}: joint {manifest.names[index]}")
    return limits


def _narrow(limits: JointLimits, index: int, stated: tuple[float, float], where: str) -> None:
    lower, upper = max(limits.lower[index], stated[0]), min(limits.upper[index], stated[1])
    if not lower < upper:
        raise BadConfig(
            where,
            expected=f"limits that overlap those of the checkpoint, {limits.lower[index]:.4g} to "
            f"{limits.upper[index]:.4g}",
            got=f"{stated[0]:.4g} to {stated[1]:.4g}",
            remedy="Correct the file, or train with recordings of this robot.",
        )
    limits.lower[index], limits.upper[index] = lower, upper


def _of_robot(robot: Robot, manifest: ActionManifest) -> Mapping[str, Joint]:
    joints = {}
    for name, unit in zip(manifest.names, manifest.units, strict=True):
        joint = robot.joint(name)
        if joint.limits is not None and joint.unit != unit:
            raise BadConfig(
                f"Robot {robot.name}: joint {name}",
                expected=f"limits in the unit of the checkpoint, {unit}",
                got=joint.unit,
                remedy="Use the file that `hwm prepare` was given, or remove the limits.",
            )
        if joint.max_velocity or joint.max_acceleration or joint.limits:
            joints[name] = joint
    return joints


def _of_urdf(path: Path, manifest: ActionManifest) -> Mapping[str, Joint]:
    joints = {}
    units = dict(zip(manifest.names, manifest.units, strict=True))
    for element in read_urdf(path).findall("joint"):
        name = element.get("name", "")
        name = manifest.aliases.get(name, name)
        factor = _IN_UNIT.get((element.get("type", ""), units.get(name, "")))
        if factor is not None and (stated := _stated(element, factor, units[name])):
            joints[name] = Joint.parse({"unit": units[name], **stated}, f"{path}: joint {name}")
    return joints


def _stated(joint: Element, factor: float, unit: str) -> dict[str, object]:
    """What a joint of a URDF states, in the model's unit, for `Joint.parse`."""
    limit, safety = joint.find("limit"), joint.find("safety_controller")
    stated: dict[str, object] = {}
    if limit is not None and "velocity" in limit.attrib:
        speed, fastest = _number(limit.attrib["velocity"], factor), REACH[unit].velocity
        # Many URDFs state 100 or 1000 for an unknown limit; the planner's own is lower.
        stated["max_velocity"] = fastest if isinstance(speed, float) and fastest < speed < inf else speed
    if joint.get("type") == "continuous":
        return stated
    ends = [(limit, "lower", "upper"), (safety, "soft_lower_limit", "soft_upper_limit")]
    pairs = [
        (_number(element.get(low, "0"), factor), _number(element.get(high, "0"), factor))
        for element, low, high in ends
        if element is not None and {low, high} & set(element.attrib)
    ]
    wrong = next((pair for pair in pairs if any(isinstance(end, str) for end in pair)), None)
    if wrong is not None:
        stated["limits"] = wrong
    elif pairs:
        lowers, uppers = zip(*pairs, strict=True)
        stated["limits"] = (max(lowers), min(uppers))
    return stated


def _number(text: str, factor: float) -> float | str:
    """A number times the factor, or the text itself, which the configuration rejects with its place."""
    try:
        return float(text) * factor
    except ValueError:
        return text
