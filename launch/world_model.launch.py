"""Launches the world model; `planner:=true` adds the planner, `sim:=true` adds the simulated robot."""

import os

from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity
from launch.actions import DeclareLaunchArgument, OpaqueFunction, SetEnvironmentVariable
from launch.conditions import IfCondition
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare

CONFIG = PathJoinSubstitution([FindPackageShare("hwm_ros"), "config"])

# name, default, description
ARGUMENTS = (
    ("namespace", "", "namespace of the nodes"),
    ("use_sim_time", "", "use /clock; empty: the value of params_file"),
    ("params_file", PathJoinSubstitution([CONFIG, "hwm_ros.yaml"]), "parameter file of the nodes"),
    ("autostart", "", "configure and activate the world model at start; empty: the value of params_file"),
    ("use_respawn", "false", "restart a node when it exits"),
    ("log_level", "info", "debug, info, warn, error or fatal"),
    ("checkpoint", "", "checkpoint folder; empty: the value of params_file"),
    ("device", "", "PyTorch device, for example cuda:0; empty: the value of params_file"),
    ("image_topic", "head_camera/image_raw", "sensor_msgs/Image; compressed images: <image_topic>/compressed"),
    ("joint_states_topic", "joint_states", "measured joint positions, sensor_msgs/JointState"),
    ("joint_commands_topic", "joint_commands", "commanded joint positions, sensor_msgs/JointState"),
    ("planner", "false", "start mpc_planner"),
    ("publish_commands", "", "let the planner move the robot; empty: the value of params_file (false)"),
    ("sim", "false", "start sim_robot"),
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

    remappings = [
        ("head_camera/image_raw", LaunchConfiguration("image_topic")),
        ("head_camera/image_raw/compressed", [LaunchConfiguration("image_topic"), "/compressed"]),
        ("joint_states", LaunchConfiguration("joint_states_topic")),
        ("joint_commands", LaunchConfiguration("joint_commands_topic")),
    ]

    def node(executable: str, parameters: dict, condition: IfCondition | None = None) -> Node:
        return Node(
            package="hwm_ros",
            executable=executable,
            name=executable,
            namespace=LaunchConfiguration("namespace"),
            parameters=[LaunchConfiguration("params_file"), given(bool, "use_sim_time") | parameters],
            remappings=remappings,
            respawn=_is_true(context, "use_respawn"),
            respawn_delay=2.0,
            arguments=["--ros-args", "--log-level", LaunchConfiguration("log_level")],
            output="screen",
            condition=condition,
        )

    return [
        node("world_model", given(str, "checkpoint", "device") | given(bool, "autostart")),
        node("mpc_planner", given(bool, "publish_commands"), IfCondition(LaunchConfiguration("planner"))),
        node("sim_robot", {"use_sim_time": False}, IfCondition(LaunchConfiguration("sim"))),
    ]


def _is_true(context: LaunchContext, name: str) -> bool:
    return LaunchConfiguration(name).perform(context).lower() in ("true", "1")


def generate_launch_description() -> LaunchDescription:
    arguments = [
        DeclareLaunchArgument(name, default_value=default, description=text) for name, default, text in ARGUMENTS
    ]
    profile = PathJoinSubstitution([CONFIG, "fastdds_large_images.xml"])
    # Without this profile, Fast DDS loses large images. A profile set by the user takes precedence. Kilted renamed the
    # variable.
    names = ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE")
    transport: list[LaunchDescriptionEntity] = []
    if not any(name in os.environ for name in names):
        transport = [SetEnvironmentVariable(name, profile) for name in names]
    return LaunchDescription([*arguments, *transport, OpaqueFunction(function=_nodes)])
