"""Launches the world model; `planner:=true` adds the planner, `sim:=true` adds the simulated robot."""

import os
from pathlib import Path

import yaml
from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity
from launch.actions import DeclareLaunchArgument, OpaqueFunction, SetEnvironmentVariable
from launch.conditions import IfCondition
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare

CONFIG = PathJoinSubstitution([FindPackageShare("hwm_ros"), "config"])

SWITCH = ("true", "false", "True", "False")
OPTIONAL_SWITCH = ("", *SWITCH)
LOG_LEVELS = ("debug", "info", "warn", "error", "fatal")

# name, default, description, allowed values (None: any). They are checked before the first node starts: when launch
# finds a wrong value later, it ends and leaves the nodes that have started running.
ARGUMENTS = (
    ("namespace", "", "namespace of the nodes", None),
    ("use_sim_time", "", "use /clock; empty: the value of params_file", OPTIONAL_SWITCH),
    ("params_file", PathJoinSubstitution([CONFIG, "hwm_ros.yaml"]), "parameter file of the nodes", None),
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
    ("image_topic", "head_camera/image_raw", "sensor_msgs/Image; compressed images: <image_topic>/compressed", None),
    ("joint_states_topic", "joint_states", "measured joint positions, sensor_msgs/JointState", None),
    ("joint_commands_topic", "joint_commands", "commanded joint positions, sensor_msgs/JointState", None),
    ("joint_trajectory_topic", "joint_trajectory", "commands as trajectory_msgs/JointTrajectory", None),
    ("cut_topic", "recording/cut", "std_msgs/Empty: what follows belongs to another take", None),
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
            respawn=_is_true(context, "use_respawn"),
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


def _is_true(context: LaunchContext, name: str) -> bool:
    return LaunchConfiguration(name).perform(context).lower() == "true"


def generate_launch_description() -> LaunchDescription:
    arguments = [
        DeclareLaunchArgument(name, default_value=default, description=text, choices=choices)
        for name, default, text, choices in ARGUMENTS
    ]
    profile = PathJoinSubstitution([CONFIG, "fastdds_large_images.xml"])
    # Without this profile, Fast DDS loses large images. A profile set by the user takes precedence. Kilted renamed the
    # variable.
    names = ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE")
    transport: list[LaunchDescriptionEntity] = []
    if not any(name in os.environ for name in names):
        transport = [SetEnvironmentVariable(name, profile) for name in names]
    return LaunchDescription([*arguments, *transport, OpaqueFunction(function=_nodes)])
