"""What tests of ROS nodes share."""

import pytest


@pytest.fixture
def node():
    """A plain node in a ROS context of its own, in the process of the tests."""
    rclpy = pytest.importorskip("rclpy", reason="needs ROS 2")
    context = rclpy.Context()
    rclpy.init(context=context)
    it = rclpy.create_node("test", context=context)
    yield it
    it.destroy_node()
    rclpy.try_shutdown(context=context)
