"""Launches the world model; `planner:=true` adds the planner, `sim:=true` adds the simulated robot."""

from pathlib import Path

import yaml
from ament_index_python.packages import get_package_share_directory
from launch import LaunchContext, LaunchDescription
from launch.actions import OpaqueFunction
from launch.conditions import IfCondition
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

from hwm_ros.launching import NAMESPACE, OPTIONAL_SWITCH, SWITCH, TOPICS, declared, is_true, large_images

PARAMS_FILE = str(Path(get_package_share_directory("hwm_ros")) / "config" / "hwm_ros.yaml")
LOG_LEVELS = ("debug", "info", "warn", "error", "fatal")

ARGUMENTS = (
    NAMESPACE,
    ("use_sim_time", "", "use /clock; empty: the value of params_file", OPTIONAL_SWITCH),
    ("params_file", PARAMS_FILE, "parameter file of the nodes", None),
    (
        "autostart",
        "",
        "configure and activate the world model at start; empty: the value of params_file",
        OPTIONAL_SWITCH,
    ),
    ("use_respawn", "false", "restart a node when it exits", SWITCH),
    ("log_level", "info", "log level of the nodes", LOG_LEVELS),
    ("checkpoint", "", "folder of a checkpoint, or the name of a shipped one; empty: the value of params_file", None),
    ("device", "", "PyTorch device, for example cuda:0; empty: the value of params_file", None),
    (
        "image_transport",
        "",
        "auto, raw or compressed; empty: the value of params_file (auto)",
        ("", "auto", "raw", "compressed"),
    ),
    (
        "stamp_source",
        "",
        "header or receive: what the time of a message is; empty: the value of params_file (header)",
        ("", "header", "receive"),
    ),
    (
        "zero_stamps",
        "",
        "reject or receive_time: messages without a stamp; empty: the value of params_file (reject)",
        ("", "reject", "receive_time"),
    ),
    *TOPICS,
    ("position_commands_topic", "position_commands", "commands as std_msgs/Float64MultiArray", None),
    ("planner", "false", "start mpc_planner", SWITCH),
    (
        "publish_commands",
        "",
        "let the planner move the robot; empty: the value of params_file (false)",
        OPTIONAL_SWITCH,
    ),
    ("sim", "false", "start sim_robot", SWITCH),
)


def _nodes(context: LaunchContext) -> list[Node]:
    """The nodes to launch. An empty argument keeps the parameter file's value."""

    def given(kind: type, *names: str) -> dict:
        """The arguments that are not empty, as parameters of type `kind`."""
        arguments = {name: LaunchConfiguration(name) for name in names}
        return {
            name: ParameterValue(argument, value_type=kind)
            for name, argument in arguments.items()
            if argument.perform(context)
        }

    params_file = Path(LaunchConfiguration("params_file").perform(context))
    if not params_file.is_file():  # launch_ros only warns, and the nodes would start with their defaults
        raise FileNotFoundError(f"params_file: expected a YAML file, got no file `{params_file}`. Check the path.")
    _require_yaml(params_file)

    remappings = [
        ("head_camera/image_raw", LaunchConfiguration("image_topic")),
        ("head_camera/image_raw/compressed", [LaunchConfiguration("image_topic"), "/compressed"]),
        ("joint_states", LaunchConfiguration("joint_states_topic")),
        ("joint_commands", LaunchConfiguration("joint_commands_topic")),
        ("joint_trajectory", LaunchConfiguration("joint_trajectory_topic")),
        ("position_commands", LaunchConfiguration("position_commands_topic")),
        ("recording/cut", LaunchConfiguration("cut_topic")),
    ]

    def node(executable: str, parameters: dict, condition: IfCondition | None = None) -> Node:
        return Node(
            package="hwm_ros",
            executable=executable,
            name=executable,
            namespace=LaunchConfiguration("namespace"),
            parameters=[str(params_file), given(bool, "use_sim_time") | parameters],
            remappings=remappings,
            respawn=is_true(context, "use_respawn"),
            respawn_delay=2.0,
            arguments=["--ros-args", "--log-level", LaunchConfiguration("log_level")],
            output="screen",
            condition=condition,
        )

    return [
        node(
            "world_model",
            given(str, "checkpoint", "device", "image_transport", "stamp_source", "zero_stamps")
            | given(bool, "autostart"),
        ),
        node(
            "mpc_planner",
            given(str, "stamp_source") | given(bool, "publish_commands"),
            IfCondition(LaunchConfiguration("planner")),
        ),
        node("sim_robot", {"use_sim_time": False}, IfCondition(LaunchConfiguration("sim"))),
    ]


def _require_yaml(path: Path) -> None:
    """The nodes would end one by one, and launch would go on without them."""
    try:
        content = yaml.safe_load(path.read_text())
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"params_file: expected YAML, got in `{path}`: {error}") from None
    sections = content.values() if isinstance(content, dict) else [None]
    if not all(isinstance(section, dict) for section in sections):
        raise ValueError(f"params_file: expected `<node>: ros__parameters: ...` in `{path}`, got no such mapping.")


def generate_launch_description() -> LaunchDescription:
    return LaunchDescription([*declared(ARGUMENTS), *large_images(), OpaqueFunction(function=_nodes)])
