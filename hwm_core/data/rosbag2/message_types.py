"""ROS 2 message types, known without ROS."""

from collections.abc import Mapping

from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

from hwm_core.errors import BadConfig


def message_types(distro: str = "jazzy", definitions: Mapping[str, str] | None = None) -> Typestore:
    """Message types of a ROS 2 distribution, and custom ones: `package/msg/Name` -> text of its .msg file.

    Raises BadConfig for a distribution that rosbags does not know.
    """
    stores = {store.name.removeprefix("ROS2_").lower(): store for store in Stores if store.name.startswith("ROS2_")}
    if distro not in stores:
        raise BadConfig(
            "ROS distribution", expected=f"one of {', '.join(stores)}", got=f"`{distro}`", remedy="Use the nearest one."
        )
    types = get_typestore(stores[distro])
    for name, text in (definitions or {}).items():
        types.register(get_types_from_msg(text, name))
    return types
