"""The world model beside a robot; with `planner:=true` also the planner, with `sim:=true` the simulated robot."""

import os

from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity
from launch.actions import DeclareLaunchArgument, OpaqueFunction, SetEnvironmentVariable
from launch.conditions import IfCondition
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare

CONFIG = PathJoinSubstitution([FindPackageShare("hwm_ros"), "config"])

# name, default, what it is for
ARGUMENTS = (
    ("namespace", "", "namespace of the nodes"),
    ("use_sim_time", "", "go by /clock; empty: as in params_file"),
    ("params_file", PathJoinSubstitution([CONFIG, "hwm_ros.yaml"]), "ROS parameters of the nodes"),
    ("autostart", "", "configure and activate the world model; empty: as in params_file"),
    ("use_respawn", "false", "start a node again when it ends"),
    ("log_level", "info", "debug, info, warn, error or fatal"),
    ("checkpoint", "", "folder of a checkpoint; empty: as in params_file"),
    ("device", "", "of torch, for example cuda:0; empty: as in params_file"),
    ("image_topic", "head_camera/image_raw", "sensor_msgs/Image (compressed: <image_topic>/compressed)"),
    ("joint_states_topic", "joint_states", "sensor_msgs/JointState, measured"),
    ("joint_commands_topic", "joint_commands", "sensor_msgs/JointState, commanded"),
    ("planner", "false", "start mpc_planner"),
    ("publish_commands", "", "let the planner move the robot; empty: as in params_file, where it does not"),
    ("sim", "false", "start sim_robot"),
)


def _nodes(context: LaunchContext) -> list[Node]:
    """Empty arguments leave the parameter file's values alone."""

    def given(kind: type, *names: str) -> dict:
        """Those that are not empty."""
        arguments = {name: LaunchConfiguration(name) for name in names}
        return {name: ParameterValue(one, value_type=kind) for name, one in arguments.items() if one.perform(context)}

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
    # Without this profile Fast DDS loses large images; one of the user's own goes first. Kilted renamed the variable.
    names = ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE")
    transport: list[LaunchDescriptionEntity] = []
    if not any(name in os.environ for name in names):
        transport = [SetEnvironmentVariable(name, profile) for name in names]
    return LaunchDescription([*arguments, *transport, OpaqueFunction(function=_nodes)])
