"""Start a node of this package without `ros2`: `hwm node world_model checkpoint:=tiny`.

    hwm node world_model checkpoint:=runs/tuned/checkpoint device:=cuda:0
    hwm node sim_robot --params-file my.yaml
    hwm node mpc_planner publish_commands:=true --remap joint_commands:=/arm/commands

If the command `ros2` is installed, `ros2 launch hwm_ros world_model.launch.py` starts the nodes together.
"""

import argparse
import re
import sys
from importlib import import_module
from pathlib import Path

from hwm_core.errors import BadConfig, did_you_mean

NODES = ("world_model", "mpc_planner", "sim_robot")
_OF_ROS = ("use_sim_time", "qos_overrides.", "start_type_description_service")  # parameters of every node


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("node", choices=NODES, help="name of the node")
    parser.add_argument(
        "parameters", nargs="*", metavar="NAME:=VALUE", help="parameters; config/hwm_ros.yaml lists them"
    )
    parser.add_argument("--params-file", type=Path, help="YAML file of parameters, such as config/hwm_ros.yaml")
    parser.add_argument("--remap", nargs="+", default=[], metavar="FROM:=TO", help="new names of topics and services")
    return parser


def run(options: argparse.Namespace) -> int:
    """Run the node until it is stopped; returns 0. Raises BadConfig for a word that is not a parameter of the node."""
    from hwm_ros.parameter_file import NODES as NODE_PARAMETERS  # needs ROS 2, which --help does not
    from hwm_ros.parameters import parameter_specs

    node = import_module(f"hwm_ros.{options.node}")
    known = [spec.name for spec in parameter_specs(NODE_PARAMETERS[options.node])]
    words = []
    for word in options.parameters:
        if not re.fullmatch(r"[\w.]+:=.*", word):
            raise BadConfig(
                "hwm node", expected="NAME:=VALUE", got=f"`{word}`", remedy="Write for example `device:=cpu`."
            )
        name = word.partition(":=")[0]
        if name not in known and not name.startswith(_OF_ROS):
            raise BadConfig(
                f"hwm node {options.node}",
                expected="a parameter of the node",
                got=f"`{name}`",
                remedy=did_you_mean(name, known, "`config/hwm_ros.yaml` lists all."),
            )
        words += ["-p", word]
    for word in options.remap:
        words += ["-r", word]
    if options.params_file:
        if not options.params_file.is_file():
            raise BadConfig(
                "--params-file", expected="a YAML file", got=f"no file {options.params_file}", remedy="Check the path."
            )
        words += ["--params-file", str(options.params_file)]
    sys.argv = [options.node, "--ros-args", *words] if words else [options.node]
    node.main()
    return 0
