"""What the launch files share."""

import os
from collections.abc import Sequence

from ament_index_python.packages import get_package_share_directory
from launch import LaunchContext
from launch.actions import DeclareLaunchArgument, SetEnvironmentVariable
from launch.substitutions import LaunchConfiguration

from hwm_ros.distributions import PROFILE_VARIABLES

# name, default, description, allowed values (None: any). Launch checks them before the first process starts: when it
# finds a wrong value later, it ends and leaves the processes that have started running.
Argument = tuple[str, str, str, Sequence[str] | None]

SWITCH = ("true", "false", "True", "False")
OPTIONAL_SWITCH = ("", *SWITCH)

NAMESPACE: Argument = ("namespace", "", "namespace of the nodes", None)
TOPICS: tuple[Argument, ...] = (
    ("image_topic", "head_camera/image_raw", "sensor_msgs/Image; compressed images: <image_topic>/compressed", None),
    ("joint_states_topic", "joint_states", "measured joint positions, sensor_msgs/JointState", None),
    ("joint_commands_topic", "joint_commands", "commanded joint positions, sensor_msgs/JointState", None),
    ("joint_trajectory_topic", "joint_trajectory", "commands as trajectory_msgs/JointTrajectory", None),
    ("cut_topic", "recording/cut", "std_msgs/Empty: what follows belongs to another take", None),
)


def declared(arguments: Sequence[Argument]) -> list[DeclareLaunchArgument]:
    """The arguments of a launch file."""
    return [
        DeclareLaunchArgument(name, default_value=default, description=text, choices=choices)
        for name, default, text, choices in arguments
    ]


def value(context: LaunchContext, name: str) -> str:
    """The value of a launch argument."""
    return LaunchConfiguration(name).perform(context)


def is_true(context: LaunchContext, name: str) -> bool:
    """Whether a switch is on."""
    return value(context, name).lower() == "true"


def full_name(context: LaunchContext, topic: str) -> str:
    """The full name of a topic in the namespace of the launch."""
    parts = [value(context, "namespace").strip("/"), topic] if not topic.startswith("/") else [topic.strip("/")]
    return "/" + "/".join(filter(None, parts))


def large_images() -> list[SetEnvironmentVariable]:
    """Set the profile without which Fast DDS loses large images. A profile set by the user takes precedence."""
    if any(name in os.environ for name in PROFILE_VARIABLES):
        return []
    profile = os.path.join(get_package_share_directory("hwm_ros"), "config", "fastdds_large_images.xml")
    return [SetEnvironmentVariable(name, profile) for name in PROFILE_VARIABLES]
