"""A context that starts again keeps nothing of the images before, also of those still in the decoder. No DDS."""

from threading import Event, Timer
from types import SimpleNamespace
from unittest.mock import MagicMock

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")
from sensor_msgs.msg import Image
from std_msgs.msg import Empty

from hwm_ros import convert, model_inputs
from hwm_ros.model_inputs import InputParameters, ModelInputs

pytestmark = pytest.mark.ros


class SlowContext:
    """Writes down what happens to it; an image takes until the decoder may go on."""

    def __init__(self):
        self.happened, self.go_on = [], Event()

    def add_image(self, stamp_ns, message):
        assert self.go_on.wait(10)
        self.happened.append(stamp_ns)

    def cut(self):
        self.happened.append("cut")

    def clock_was_set_back(self):
        self.happened.append("clock")


@pytest.fixture
def live(monkeypatch):
    """Inputs of a node that never spins: `receive` holds the callbacks by topic, `jump` that of the clock."""
    receive = {}

    def create_subscription(node, kind, topic, callback, *others, **named):
        receive[topic] = callback
        return MagicMock()

    monkeypatch.setattr(model_inputs, "create_subscription", create_subscription)
    monkeypatch.setattr(model_inputs, "PolledSubscription", MagicMock())
    node, server = MagicMock(), MagicMock(context=SlowContext())
    server.info.frame_rate_hz, server.info.past_frames = 15.0, 9
    node.get_clock().now().nanoseconds = 10**9
    inputs = ModelInputs(node, server, InputParameters(image_transport="raw"), lambda image: None)
    jump = node.get_clock().create_jump_callback.call_args.kwargs["post_callback"]
    yield SimpleNamespace(receive=receive, jump=jump, context=server.context)
    server.context.go_on.set()
    inputs.close()


def image(stamp_ns):
    return Image(header=convert.header(stamp_ns, "camera"))


@pytest.mark.parametrize("event", ["cut", "clock"])
def test_images_in_the_decoder_enter_the_context_before_it_starts_again(live, event):
    for stamp_ns in (1, 2, 3):
        live.receive["head_camera/image_raw"](image(stamp_ns))
    assert live.context.happened == [], "the decoder is held back"
    Timer(0.1, live.context.go_on.set).start()
    if event == "cut":
        live.receive["recording/cut"](Empty())
    else:
        live.jump(SimpleNamespace(delta=SimpleNamespace(nanoseconds=-5 * 10**9)))
    assert live.context.happened == [1, 2, 3, event]
