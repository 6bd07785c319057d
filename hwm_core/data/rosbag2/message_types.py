"""ROS 2 message types without a ROS installation."""

from collections.abc import Mapping

from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore


def message_types(definitions: Mapping[str, str] | None = None) -> Typestore:
    """Message types of ROS 2 Jazzy, and custom types.

    Args:
        definitions: {package/msg/Name: text of its .msg file}.
    """
    types = get_typestore(Stores.ROS2_JAZZY)
    for name, text in (definitions or {}).items():
        types.register(get_types_from_msg(text, name))
    return types
