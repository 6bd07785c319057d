"""ROS topics of a recording."""

from hwm_core.config import Config


class Topics(Config):
    """Topics of a robot that a world model reads."""

    image: str = "/head_camera/image_raw"
    joint_states: str = "/joint_states"
    commands: str = "/joint_commands"
    cuts: str = "/recording/cut"  # std_msgs/Empty: the messages after it belong to another take
