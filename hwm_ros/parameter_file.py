"""The shipped parameter file: `python -m hwm_ros.parameter_file > config/hwm_ros.yaml`."""

from collections.abc import Iterator

import yaml

from hwm_core.config import Config
from hwm_ros.mpc_planner import MpcPlannerParameters
from hwm_ros.parameters import rows
from hwm_ros.sim_robot import SimRobotParameters
from hwm_ros.world_model import WorldModelParameters

NODES: dict[str, type[Config]] = {
    "world_model": WorldModelParameters,
    "mpc_planner": MpcPlannerParameters,
    "sim_robot": SimRobotParameters,
}
_HEAD = """\
# Every parameter of the nodes with its default. Copy what you change; launch with params_file:=<your file>.
# LIVE parameters may be set while the node runs (`ros2 param set`); the others are read when it is configured.
# Made by `python -m hwm_ros.parameter_file`.
"""


def parameter_file() -> str:
    """The text of config/hwm_ros.yaml."""
    return _HEAD + "".join("\n" + "\n".join(_lines(name, kind)) + "\n" for name, kind in NODES.items())


def _lines(node: str, kind: type[Config]) -> Iterator[str]:
    yield f"/**/{node}:"
    yield "  ros__parameters:"
    opened: list[str] = []
    for row in rows(kind):
        *path, leaf = row.name.split(".")
        for depth, part in enumerate(path):
            if opened[: depth + 1] != path[: depth + 1]:
                yield f"{'  ' * (depth + 2)}{part}:"
        opened = path
        # An empty list has no element type, so a parameter file cannot hold one.
        value = f"{'# ' if row.default == [] else ''}{leaf}: {_value(row.default)}"
        yield f"{'  ' * (len(path) + 2)}{value}  # {row.description}{' (LIVE)' if row.live else ''}"


def _value(value: object) -> str:
    return yaml.safe_dump(value, default_flow_style=True).removesuffix("\n").removesuffix("\n...")


if __name__ == "__main__":
    print(parameter_file(), end="")
