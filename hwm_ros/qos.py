"""Quality of service: images best effort in, reliable out (REP-2003), all of it overridable, mismatches explained."""

from collections.abc import Callable
from copy import copy
from typing import Any

from rclpy.callback_groups import CallbackGroup
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import (
    DurabilityPolicy,
    HistoryPolicy,
    QoSPolicyKind,
    QoSProfile,
    ReliabilityPolicy,
    qos_policy_name_from_kind,
)
from rclpy.qos_overriding_options import QoSOverridingOptions
from rclpy.subscription import Subscription

try:
    from rclpy.event_handler import PublisherEventCallbacks, SubscriptionEventCallbacks
except ImportError:  # Humble
    from rclpy.qos_event import PublisherEventCallbacks, SubscriptionEventCallbacks

SENSOR = QoSProfile(depth=10, reliability=ReliabilityPolicy.BEST_EFFORT)
RELIABLE = QoSProfile(depth=10, reliability=ReliabilityPolicy.RELIABLE)
# Joint values and commands come at up to some hundred hertz while one image is worked on.
JOINTS_IN = QoSProfile(depth=200, reliability=ReliabilityPolicy.BEST_EFFORT)
JOINTS_OUT = QoSProfile(depth=200, reliability=ReliabilityPolicy.RELIABLE)
# The newest values, also for those who come late.
TRACK = QoSProfile(depth=200, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL)
LATCHED = QoSProfile(
    history=HistoryPolicy.KEEP_LAST,
    depth=1,
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.TRANSIENT_LOCAL,
)

_OVERRIDABLE = (
    QoSPolicyKind.HISTORY,
    QoSPolicyKind.DEPTH,
    QoSPolicyKind.RELIABILITY,
    QoSPolicyKind.DURABILITY,
)


def create_subscription(
    node: Node,
    kind: type,
    topic: str,
    callback: Callable[[Any], Any],
    profile: QoSProfile,
    group: CallbackGroup | None = None,
) -> Subscription:
    """A subscription whose policies can be overridden by parameter, and whose mismatches are logged with the fix."""

    def mismatch(event: Any) -> None:
        node.get_logger().error(
            _explain(node.resolve_topic_name(topic), "publisher", "subscription", event.last_policy_kind)
        )

    return node.create_subscription(
        kind,
        topic,
        callback,
        copy(profile),  # rclpy writes overrides into the profile it is given
        callback_group=group,
        event_callbacks=SubscriptionEventCallbacks(incompatible_qos=mismatch),
        qos_overriding_options=QoSOverridingOptions(_OVERRIDABLE),
    )


def create_publisher(node: Node, kind: type, topic: str, profile: QoSProfile) -> Publisher:
    """A publisher whose policies can be overridden by parameter, and whose mismatches are logged with the fix."""

    def mismatch(event: Any) -> None:
        node.get_logger().error(
            _explain(node.resolve_topic_name(topic), "subscription", "publisher", event.last_policy_kind)
        )

    return node.create_publisher(
        kind,
        topic,
        copy(profile),
        event_callbacks=PublisherEventCallbacks(incompatible_qos=mismatch),
        qos_overriding_options=QoSOverridingOptions(_OVERRIDABLE),
    )


def _explain(topic: str, other: str, ours: str, policy: QoSPolicyKind) -> str:
    name = qos_policy_name_from_kind(policy).lower()
    can = policy in _OVERRIDABLE
    here = f", or set the parameter `qos_overrides.{topic}.{ours}.{name}` here" if can else ""
    return (
        f"{topic}: a {other} there has an incompatible QoS policy ({name}); no message passes between us. "
        f"Change it there{here}."
    )
