"""The topic ~/surprise: how far what the camera sees differs from what the model had predicted."""

from collections.abc import Callable
from math import isfinite

from rclpy.node import Node

from hwm_core.errors import BadInput
from hwm_core.live.context_window import ContextWindow
from hwm_core.live.health import Finding
from hwm_core.live.requests import Unanswered
from hwm_core.live.surprise import SurpriseAlarm, SurpriseConfig
from hwm_ros import convert
from hwm_ros.lifecycle_model import LifecycleModel
from hwm_ros.msg import Surprise
from hwm_ros.node import start_task
from hwm_ros.qos import RELIABLE, create_publisher


class SurprisePublisher:
    """Compares every latent with its prediction while the topic has a subscriber, or while a surprise stops planners.

    Args:
        node: publishes.
        model: predicts.
        on_fault: called with every error that is a fault of this package.
    """

    def __init__(self, node: Node, model: LifecycleModel, on_fault: Callable[[Exception], None]) -> None:
        self._node, self._model, self._on_fault = node, model, on_fault
        self._publisher = create_publisher(node, Surprise, "~/surprise", RELIABLE)
        self.start(SurpriseConfig())

    def start(self, config: SurpriseConfig) -> None:
        """Forget the surprises so far."""
        self._config, self._alarm = config, SurpriseAlarm(config)
        self._newest_ns, self._frames = 0, 0

    def finding(self) -> Finding | None:
        """The surprise that lasts; an error if it stops planners."""
        newest = self._alarm.newest
        if newest is not None and not isfinite(newest.error):
            text = (
                f"The error of the newest prediction is {newest.error}: the model, or an encoded frame, is not finite."
            )
            return Finding(f"{text} Check the checkpoint and its dtype.", is_error=self._config.stop)
        if not self._alarm.raised:
            return None
        return Finding(
            f"The newest {self._config.latents} latents were surprises: the model's predictions do not hold here. "
            "Check what is new in the scene, or raise surprise.threshold.",
            is_error=self._config.stop,
        )

    def on_image(self) -> None:
        """Compare when the newest frame completes a latent after the last comparison."""
        server = self._model.server
        if server is None or not (self._config.stop or self._publisher.get_subscription_count()):
            self._alarm.reset()
            return
        newest_ns = server.context.newest_stamp_ns or 0
        if newest_ns == self._newest_ns:
            return
        self._newest_ns, self._frames = newest_ns, self._frames + 1
        if self._frames < server.frames_per_latent:
            return
        try:
            window = server.context.window()
        except BadInput:  # the context is not complete
            return
        self._frames = 0
        start_task(self._node, self._compare, window)

    async def _compare(self, window: ContextWindow) -> None:
        try:
            server = self._model.active()
            found = await server.compare(window)
        except (BadInput, Unanswered):  # the next latent is compared
            return
        except Exception as error:
            self._on_fault(error)
            return
        if found is None:
            self._alarm.reset()
            return
        self._publisher.publish(
            Surprise(
                header=convert.header(found.stamp_ns, server.camera_frame),
                predicted_from=convert.time_of(found.predicted_from_ns),
                error=found.error,
                expected_error=found.expected,
                ratio=found.ratio,
                threshold=self._config.threshold,
                exceeded=self._alarm.add(found),
            )
        )
