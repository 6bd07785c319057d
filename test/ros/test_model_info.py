"""ModelInfo messages that no world_model node sends. No DDS."""

import pytest
from untrained import untrained

pytest.importorskip("rclpy", reason="needs ROS 2")
import torch

from hwm_core.errors import BadConfig
from hwm_core.live.robots import space_of
from hwm_core.planning.limits import Limits
from hwm_core.world_model.model import WorldModel
from hwm_ros.model_info import model_info, require_consistent

pytestmark = pytest.mark.ros


@pytest.fixture
def info():
    model = WorldModel(untrained(), dtype=torch.float32)
    return model_info(model, space_of(model, Limits()))


def test_the_message_of_a_checkpoint_is_consistent(info):
    require_consistent(info)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("lower", [0.0]),
        ("max_velocity", []),
        ("aliases", ["neck"]),
        ("joint_names", []),
        ("joint_names", ["neck_yaw", "neck_yaw", "right_elbow"]),
        ("upper", [float("nan"), 1.0, 1.0]),
        ("scale", [float("inf"), 1.0, 1.0]),
        ("frame_rate_hz", 0.0),
        ("frame_rate_hz", float("nan")),
        ("future_frames", 0),
    ],
)
def test_an_inconsistent_message_is_an_error(info, field, value):
    setattr(info, field, value)
    with pytest.raises(BadConfig, match="Only a world_model node"):
        require_consistent(info)
