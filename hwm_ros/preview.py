"""The topics ~/predicted_frames and ~/prediction_image: the model's current prediction, for a person to look at."""

from collections.abc import Callable

from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.node import Node
from rclpy.timer import Timer
from sensor_msgs.msg import Image

from hwm_core.errors import BadInput
from hwm_core.live.requests import Unanswered
from hwm_core.visualization.prediction_strip import prediction_strip
from hwm_ros import convert
from hwm_ros.lifecycle_model import LifecycleModel
from hwm_ros.msg import PredictedFrames
from hwm_ros.node import STEADY
from hwm_ros.qos import RELIABLE, create_publisher

_LABELS = {
    PredictedFrames.HOLD: "newest action held",
    PredictedFrames.PLAN: "newest plan or best candidate",
}


class PreviewPublisher:
    """Publishes predicted frames at a fixed rate while a topic has a subscriber.

    Args:
        node: publishes.
        model: predicts.
        on_fault: called with every error that is a fault of this package.
    """

    def __init__(self, node: Node, model: LifecycleModel, on_fault: Callable[[Exception], None]) -> None:
        self._node, self._model, self._on_fault = node, model, on_fault
        # A callback that awaits the worker blocks its callback group. The default group must stay free for images.
        self._group = ReentrantCallbackGroup()
        self._frames = create_publisher(node, PredictedFrames, "~/predicted_frames", RELIABLE)
        self._image = create_publisher(node, Image, "~/prediction_image", RELIABLE)

    def start(self, rate_hz: float) -> Timer:
        """Start to publish; the caller destroys the timer when the node is deactivated."""
        return self._node.create_timer(1 / rate_hz, self._publish, self._group, STEADY)

    async def _publish(self) -> None:
        wants_frames, wants_image = (p.get_subscription_count() > 0 for p in (self._frames, self._image))
        if not (wants_frames or wants_image):
            return
        try:
            server = self._model.active()
            preview = await server.preview()
            header = convert.header(preview.window.stamp_ns, server.camera_frame)
            rate_hz = server.info.frame_rate_hz
            if wants_frames:
                self._frames.publish(convert.frames_message(preview.frames[None], preview.source, rate_hz, header))
            if wants_image:
                strip = prediction_strip(preview.window.frames, preview.frames, rate_hz, _LABELS[preview.source])
                self._image.publish(convert.image_message(strip, header))
        except (BadInput, Unanswered):  # ~/context_status reports the reason with every image
            return
        except Exception as error:
            self._on_fault(error)
