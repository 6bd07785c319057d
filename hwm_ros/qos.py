"""Quality of service (QoS) of all topics, after REP-2003: images are received best effort and published reliable.

Parameters override every policy. An incompatible publisher or subscription is logged together with the fix. rclpy's
default event handlers are left out, because every handler makes each wait of the executor longer: Fast DDS raises no
event for a topic of another type, so `hwm_ros.topic_checks` looks for it.
"""

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

from hwm_ros.distributions import PublisherEventCallbacks, SubscriptionEventCallbacks

SENSOR = QoSProfile(depth=10, reliability=ReliabilityPolicy.BEST_EFFORT)
RELIABLE = QoSProfile(depth=10, reliability=ReliabilityPolicy.RELIABLE)
# Joint messages arrive at up to a few hundred hertz; the queue holds them while one image is processed.
JOINTS_IN = QoSProfile(depth=200, reliability=ReliabilityPolicy.BEST_EFFORT)
# A burst of requests must be answered, be it with BUSY: with the default depth of 10, the middleware loses the rest.
REQUESTS = QoSProfile(depth=200, reliability=ReliabilityPolicy.RELIABLE)
JOINTS_OUT = QoSProfile(depth=200, reliability=ReliabilityPolicy.RELIABLE)
# A recording arrives whole, be a subscriber busy for a second.
PLAYED = QoSProfile(depth=100, reliability=ReliabilityPolicy.RELIABLE)
# The newest 200 values, also for late subscribers.
LATCHED_HISTORY = QoSProfile(
    depth=200, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL
)
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
    report: Callable[[str, str], None] | None = None,
) -> Subscription:
    """Create a subscription with overridable policies that reports incompatible publishers.

    Args:
        node: subscribes.
        kind: type of the messages.
        topic: its name.
        callback: called with every message.
        profile: quality of service.
        group: of the callback.
        report: called with the topic and what to change; None: log it once.
    """
    logged: set[str] = set()

    def log(_: str, text: str) -> None:
        if text not in logged:
            node.get_logger().error(text)
        logged.add(text)

    def mismatch(event: Any) -> None:
        name = node.resolve_topic_name(topic)
        (report or log)(name, _explain(name, "publisher", "subscription", event.last_policy_kind))

    return node.create_subscription(
        kind,
        topic,
        callback,
        copy(profile),  # rclpy writes the overrides into this object
        callback_group=group,
        event_callbacks=SubscriptionEventCallbacks(incompatible_qos=mismatch, use_default_callbacks=False),
        qos_overriding_options=QoSOverridingOptions(_OVERRIDABLE),
    )


def create_publisher(node: Node, kind: type, topic: str, profile: QoSProfile) -> Publisher:
    """Create a publisher with overridable policies that logs incompatible subscriptions."""

    def mismatch(event: Any) -> None:
        node.get_logger().error(
            _explain(node.resolve_topic_name(topic), "subscription", "publisher", event.last_policy_kind)
        )

    return node.create_publisher(
        kind,
        topic,
        copy(profile),
        event_callbacks=PublisherEventCallbacks(incompatible_qos=mismatch, use_default_callbacks=False),
        qos_overriding_options=QoSOverridingOptions(_OVERRIDABLE),
    )


def incompatible_publisher(node: Node, subscription: Subscription) -> str:
    """What to change because a publisher cannot reach a subscription whose events nobody handles; empty: all can."""
    wanted = subscription.qos_profile
    for offered in (info.qos_profile for info in node.get_publishers_info_by_topic(subscription.topic_name)):
        if wanted.reliability == ReliabilityPolicy.RELIABLE and offered.reliability == ReliabilityPolicy.BEST_EFFORT:
            policy = QoSPolicyKind.RELIABILITY
        elif wanted.durability == DurabilityPolicy.TRANSIENT_LOCAL and offered.durability == DurabilityPolicy.VOLATILE:
            policy = QoSPolicyKind.DURABILITY
        else:
            continue
        return _explain(subscription.topic_name, "publisher", "subscription", policy)
    return ""


def _explain(topic: str, remote: str, local: str, policy: QoSPolicyKind) -> str:
    """The log message for an incompatible `remote` endpoint ("publisher" or "subscription")."""
    name = qos_policy_name_from_kind(policy).lower()
    overridable = policy in _OVERRIDABLE
    fix = f", or set the parameter `qos_overrides.{topic}.{local}.{name}` of this node" if overridable else ""
    return (
        f"{topic}: a {remote} has a QoS policy ({name}) that is incompatible with this node's {local}. "
        f"They exchange no messages. Change the policy of the {remote}{fix}."
    )
