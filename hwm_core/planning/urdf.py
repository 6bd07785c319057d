"""Reads URDF files: the tree of links and joints of a robot."""

from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import torch
from torch import Tensor

from hwm_core.errors import BadConfig, did_you_mean, nearest_path


@dataclass(frozen=True)
class UrdfJoint:
    """A joint, and where it stands in the frame of its parent link."""

    name: str
    kind: str  # revolute, continuous, prismatic, fixed, ...
    parent: str  # link
    offset: Tensor  # [3] in metres
    rotation: Tensor  # [3, 3]
    axis: Tensor  # [3] unit vector in the joint's frame
    lower: float  # rad or m; a continuous joint turns from -pi to pi
    upper: float


def read_urdf(path: str | Path) -> ElementTree.Element:
    """The root element of a URDF. Raises BadConfig for anything else."""
    path = Path(path)
    try:
        root = ElementTree.parse(path).getroot()
    except OSError as error:
        raise BadConfig(
            f"URDF {path}",
            expected="a readable XML file",
            got=error.strerror or error,
            remedy=nearest_path(path, "Check the path."),
        ) from None
    except ElementTree.ParseError as error:
        raise BadConfig(f"URDF {path}", expected="a readable XML file", got=error, remedy="Check the path.") from None
    if root.tag != "robot" or any("{http://www.ros.org/wiki/xacro}" in element.tag for element in root.iter()):
        raise BadConfig(
            f"URDF {path}",
            expected="a `robot` element without xacro",
            got=f"`{root.tag}`" if root.tag != "robot" else "xacro",
            remedy="Expand it first: `xacro robot.urdf.xacro > robot.urdf`.",
        )
    return root


def chain_to(path: str | Path, link: str) -> list[UrdfJoint]:
    """The joints from the root link to a link, from the base on.

    Raises:
        BadConfig: not a URDF, no such link, or a joint that is incomplete.
    """
    root = read_urdf(path)
    by_child = {
        child.get("link"): joint for joint in root.findall("joint") if (child := joint.find("child")) is not None
    }
    links = [found.get("name", "") for found in root.findall("link")]
    if link not in links:
        remedy = did_you_mean(link, links, "Name the link of the palm.")
        raise BadConfig(f"URDF {path}", expected="the link of the palm", got=f"no link `{link}`", remedy=remedy)
    chain: list[UrdfJoint] = []
    while link in by_child and len(chain) <= len(links):
        chain.append(_joint(by_child[link], path))
        link = chain[-1].parent
    return chain[::-1]


def _joint(element: ElementTree.Element, path: str | Path) -> UrdfJoint:
    name, kind, parent = element.get("name", ""), element.get("type", ""), element.find("parent")
    where = f"URDF {path}: joint {name}"
    if parent is None or not parent.get("link"):
        raise BadConfig(where, expected="a parent link", got="none", remedy="Correct the file.")
    origin, axis, limit = element.find("origin"), element.find("axis"), element.find("limit")
    offset = _numbers(None if origin is None else origin.get("xyz"), (0.0, 0.0, 0.0), where)
    roll, pitch, yaw = _numbers(None if origin is None else origin.get("rpy"), (0.0, 0.0, 0.0), where)
    turn = _numbers(None if axis is None else axis.get("xyz"), (1.0, 0.0, 0.0), where)
    lower, upper = -torch.pi, torch.pi
    if kind in ("revolute", "prismatic"):
        ends = None if limit is None else f"{limit.get('lower', '0')} {limit.get('upper', '0')}"
        lower, upper = _numbers(ends, (0.0, 0.0), where)
    return UrdfJoint(
        name,
        kind,
        parent.get("link", ""),
        offset,
        _about(2, yaw) @ _about(1, pitch) @ _about(0, roll),
        turn / turn.norm().clamp(min=1e-12),
        float(lower),
        float(upper),
    )


def _numbers(text: str | None, default: tuple[float, ...], where: str) -> Tensor:
    """Numbers of an attribute, as many as the default."""
    try:
        numbers = torch.tensor(default if text is None else [float(word) for word in text.split()], dtype=torch.float64)
    except ValueError:
        numbers = torch.empty(0)
    if len(numbers) != len(default) or not bool(numbers.isfinite().all()):
        raise BadConfig(where, expected=f"{len(default)} finite numbers", got=f"`{text}`", remedy="Correct the file.")
    return numbers


def _about(axis: int, angle: Tensor) -> Tensor:
    """The rotation [3, 3] about the x, y or z axis."""
    sine, cosine = angle.sin(), angle.cos()
    rotation = torch.eye(3, dtype=torch.float64)
    first, second = [(1, 2), (2, 0), (0, 1)][axis]
    rotation[first, first] = rotation[second, second] = cosine
    rotation[first, second], rotation[second, first] = -sine, sine
    return rotation
