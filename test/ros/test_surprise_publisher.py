"""What the node reports about surprises. No DDS."""

from unittest.mock import MagicMock

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")
from hwm_core.live.surprise import Surprise, SurpriseConfig
from hwm_ros.surprise_publisher import SurprisePublisher

pytestmark = pytest.mark.ros


@pytest.mark.parametrize("stop", [False, True])
@pytest.mark.parametrize("error", [np.nan, np.inf])
def test_an_error_that_is_not_finite_is_reported_at_once_and_until_a_finite_one_comes(error, stop):
    publisher = SurprisePublisher(MagicMock(), MagicMock(), MagicMock())
    publisher.start(SurpriseConfig(stop=stop))
    assert publisher.finding() is None
    publisher._alarm.add(Surprise(1, 2, error, 1.0))
    finding = publisher.finding()
    assert str(error) in finding.text and "not finite" in finding.text and finding.is_error == stop
    publisher._alarm.add(Surprise(2, 3, 1.0, 1.0))
    assert publisher.finding() is None
