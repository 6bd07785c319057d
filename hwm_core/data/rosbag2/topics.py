"""The topics of a robot that a world model reads."""

from hwm_core.config import Config


class Topics(Config):
    """Where a robot publishes what a world model reads."""

    image: str = "/head_camera/image_raw"
    joint_states: str = "/joint_states"
    commands: str = "/joint_commands"
    cuts: str = "/recording/cut"  # std_msgs/Empty: what follows is another take
