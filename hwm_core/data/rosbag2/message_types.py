"""ROS 2 message types without a ROS installation."""

from collections.abc import Mapping

from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

from hwm_core.errors import BadConfig


def message_types(distro: str = "jazzy", definitions: Mapping[str, str] | None = None) -> Typestore:
    """Message types of a ROS 2 distribution, and custom types.

    Args:
        distro: name of the distribution.
        definitions: {package/msg/Name: text of its .msg file}.

    Raises:
        BadConfig: rosbags does not know the distribution.
    """
    stores = {store.name.removeprefix("ROS2_").lower(): store for store in Stores if store.name.startswith("ROS2_")}
    if distro not in stores:
        raise BadConfig(
            "ROS distribution",
            expected=f"one of {', '.join(stores)}",
            got=f"`{distro}`",
            remedy="Choose the nearest one.",
        )
    types = get_typestore(stores[distro])
    for name, text in (definitions or {}).items():
        types.register(get_types_from_msg(text, name))
    return types
