"""The topic ~/plan_film/compressed: the predicted frames of the newest plan, played like the video of a camera."""

from array import array
from collections import deque
from collections.abc import Callable

from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.node import Node
from rclpy.timer import Timer
from sensor_msgs.msg import CompressedImage

from hwm_core.data.recording.image_message import encode_image
from hwm_core.errors import BadInput
from hwm_core.live.requests import Unanswered
from hwm_ros import convert
from hwm_ros.lifecycle_model import LifecycleModel
from hwm_ros.msg import PredictedFrames
from hwm_ros.node import STEADY
from hwm_ros.qos import RELIABLE, create_publisher


class FilmPublisher:
    """Predicts the newest plan again and again while somebody looks, and publishes one frame after the other.

    Args:
        node: publishes.
        model: predicts.
        on_fault: called with every error that is a fault of this package.
    """

    def __init__(self, node: Node, model: LifecycleModel, on_fault: Callable[[Exception], None]) -> None:
        self._node, self._model, self._on_fault = node, model, on_fault
        # A callback that awaits the worker blocks its callback group. The default group must stay free for images.
        self._group = ReentrantCallbackGroup()
        self._images = create_publisher(node, CompressedImage, "~/plan_film/compressed", RELIABLE)
        self._waiting: deque[CompressedImage] = deque()  # frames of the film that were not shown yet

    def start(self, films_per_s: float) -> list[Timer]:
        """Start to publish films, each at the model's frame rate; the caller destroys the timers."""
        self._waiting.clear()
        rate_hz = self._model.loaded().info.frame_rate_hz
        timer, group = self._node.create_timer, self._group
        return [timer(1 / films_per_s, self._predict, group, STEADY), timer(1 / rate_hz, self._show, group, STEADY)]

    async def _predict(self) -> None:
        """Begin a new film; the rest of the last one is left out."""
        if self._images.get_subscription_count() == 0:
            return
        try:
            server = self._model.active()
            preview = await server.preview("film/")
            if preview.source != PredictedFrames.PLAN:
                return
            period_ns, stamp_ns = 1e9 / server.info.frame_rate_hz, preview.window.stamp_ns
            self._waiting.clear()
            for number, frame in enumerate(preview.frames, 1):
                header = convert.header(stamp_ns + round(number * period_ns), server.camera_frame)
                jpeg = array("B", encode_image(frame, "jpeg"))
                self._waiting.append(CompressedImage(header=header, format="jpeg", data=jpeg))
        except (BadInput, Unanswered):  # ~/context_status reports the reason with every image
            return
        except Exception as error:
            self._on_fault(error)

    def _show(self) -> None:
        if self._waiting:
            self._images.publish(self._waiting.popleft())
