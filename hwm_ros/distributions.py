"""What differs between the ROS 2 distributions that hwm_ros supports. No other module asks which one it runs on.

| what | Humble | Jazzy and later |
|---|---|---|
| QoS event callbacks | `rclpy.qos_event` | `rclpy.event_handler` |
| number of a received message | not reported | second argument of a subscription's callback |
| callback before parameters are set | none | `Node.add_pre_set_parameters_callback` |
| discovery on this machine only | `ROS_LOCALHOST_ONLY` | `ROS_AUTOMATIC_DISCOVERY_RANGE` |
| profile of Fast DDS | `FASTRTPS_DEFAULT_PROFILES_FILE` | since Kilted `FASTDDS_DEFAULT_PROFILES_FILE` |
| topics of `ros2 bag record` | positional | `--topics` |

Not used anywhere, because Humble lacks it: `with rclpy.init()`, `EventsExecutor`, launch's `LifecycleTransition`.
"""

import os
from collections.abc import Callable, Sequence
from inspect import iscoroutinefunction
from typing import Any

from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.subscription import Subscription

try:
    from rclpy.event_handler import PublisherEventCallbacks, SubscriptionEventCallbacks
except ImportError:  # Humble
    from rclpy.qos_event import PublisherEventCallbacks, SubscriptionEventCallbacks

__all__ = [
    "PROFILE_VARIABLES",
    "PublisherEventCallbacks",
    "SubscriptionEventCallbacks",
    "bag_record_topics",
    "before_setting",
    "discovery_on_this_machine",
    "message_number",
    "numbered",
]

PROFILE_VARIABLES = ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE")
"""Environment variables that name the profile of Fast DDS; each distribution reads one of them."""


def is_humble() -> bool:
    """Whether the sourced distribution is Humble."""
    return os.environ.get("ROS_DISTRO") == "humble"


def discovery_on_this_machine() -> dict[str, str]:
    """Environment variables that keep discovery on this machine."""
    everywhere = {"ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"}
    return everywhere | ({"ROS_LOCALHOST_ONLY": "1"} if is_humble() else {})


def bag_record_topics(topics: Sequence[str]) -> list[str]:
    """Arguments of `ros2 bag record` that choose topics."""
    return [*topics] if is_humble() else ["--topics", *topics]


def before_setting(node: Node, change: Callable[[list[Parameter]], list[Parameter]]) -> None:
    """Let `change` replace the parameters that are being set; nothing on Humble."""
    if hasattr(node, "add_pre_set_parameters_callback"):
        node.add_pre_set_parameters_callback(change)


def numbered(callback: Callable[[Any, int | None], Any]) -> Callable[..., Any]:
    """A callback of a subscription that also gets the number that the publisher gave the message.

    The number is None where rclpy (Humble) or the middleware does not report it.
    """
    reported = hasattr(Subscription, "CallbackType")

    async def async_with_info(message: Any, info: dict[str, Any]) -> Any:
        return await callback(message, message_number(info))

    async def async_without(message: Any) -> Any:
        return await callback(message, None)

    if iscoroutinefunction(callback):
        return async_with_info if reported else async_without
    if reported:
        return lambda message, info: callback(message, message_number(info))
    return lambda message: callback(message, None)


def message_number(info: dict[str, Any]) -> int | None:
    """The number that the publisher gave the message of this info; None as in `numbered`."""
    return info.get("publication_sequence_number")
