"""A node that stops planners when predictions do not hold. Real DDS, untrained weights."""

import pytest
from untrained import save_untrained

pytest.importorskip("rclpy", reason="needs ROS 2")
from hwm_ros.msg import ErrorCode
from ros_robot import robot_of

from hwm_core.live.surprise_file import MeasuredSurprise, write_surprise
from hwm_core.world_model.model import WorldModel

pytestmark = pytest.mark.ros


def test_surprises_in_a_row_make_the_context_not_ready_with_their_own_code(tmp_path):
    checkpoint = save_untrained(tmp_path / "checkpoint")
    sha256 = WorldModel.load(checkpoint).sha256
    write_surprise(checkpoint, MeasuredSurprise(checkpoint=sha256, windows=1, error=1e-9, p95=2e-9))  # never so right
    with robot_of(tmp_path, checkpoint, surprise__stop=True) as peer:
        peer.until(lambda: peer.tick().error_code == ErrorCode.SURPRISED, "the surprise")
        status = peer.received["/world_model/context_status"][-1]
        assert not status.ready and "predictions do not hold here" in status.error_msg
        peer.until(lambda: "predictions do not hold here" in peer.log.read_text(), "the log")
