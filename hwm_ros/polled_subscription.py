"""A subscription to a fast topic whose messages are taken many at a time."""

from collections.abc import Callable
from typing import Any

from rclpy.callback_groups import CallbackGroup
from rclpy.node import Node
from rclpy.qos import QoSProfile

from hwm_ros.distributions import message_number
from hwm_ros.qos import create_subscription


class _Never(CallbackGroup):
    """A group that the executor does not wait for.

    An executor that waits for a subscription's events alone would wake for its messages too, and never sleep.
    """

    def can_execute(self, entity: Any) -> bool:
        """Whether the executor waits for it."""
        return False

    def beginning_execution(self, entity: Any) -> bool:
        """Never called."""
        return False

    def ending_execution(self, entity: Any) -> None:
        """Never called."""


class PolledSubscription:
    """A subscription that wakes no executor: rclpy takes about half a millisecond to wait for each message.

    Args:
        node: subscribes.
        kind: type of the messages.
        topic: its name.
        callback: called with a message and the number that its publisher gave it, or None.
        profile: quality of service. Its depth must hold the messages between two calls of `take`.
    """

    def __init__(
        self,
        node: Node,
        kind: type,
        topic: str,
        callback: Callable[[Any, int | None], None],
        profile: QoSProfile,
    ) -> None:
        self._callback, self._group = callback, _Never()  # rclpy keeps weak references to groups
        self.subscription = create_subscription(node, kind, topic, _unused, profile, self._group)

    def take(self, most: int) -> None:
        """Call the callback with the messages that have arrived, the oldest first.

        Args:
            most: messages of this call; the others wait.
        """
        subscription = self.subscription
        for _ in range(most):
            with subscription.handle:
                taken = subscription.handle.take_message(subscription.msg_type, subscription.raw)
            if taken is None:
                return
            self._callback(taken[0], message_number(taken[1]))


def _unused(_: Any) -> None:
    """The callback that rclpy asks for."""
