"""The commands of the planner when the model is replaced. No DDS."""

import time
from unittest.mock import MagicMock

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")
from hwm_ros.msg import ModelInfo

from hwm_core.errors import BadConfig, RobotMismatch
from hwm_core.live.stream_config import StreamConfig
from hwm_ros import convert
from hwm_ros.command_messages import OUTPUTS, OutputParameters
from hwm_ros.command_output import CommandOutput

pytestmark = pytest.mark.ros

FRAME_NS = 100_000_000


def info(*names):
    limits = {"lower": [-1.0], "upper": [1.0], "max_velocity": [3.0], "max_acceleration": [20.0], "scale": [0.1]}
    each = {field: value * len(names) for field, value in limits.items()}
    return ModelInfo(joint_names=names, aliases=["neck_joint"], alias_joints=["neck"], frame_rate_hz=10.0, **each)


@pytest.fixture
def output():
    """Follows a goal in shadow mode."""
    output = CommandOutput(MagicMock(), StreamConfig(), lockstep=True, publish=False)
    output.measured(FRAME_NS, ["neck_joint", "elbow"], np.array([0.1, 0.2]))
    output.use(info("neck", "elbow"), StreamConfig())
    output.begin(4)
    return output


def commanded(output, frame):
    output.seen(frame * FRAME_NS)
    assert output.frame(frame * FRAME_NS)
    message = output._shadow.publish.call_args.args[0]
    return dict(zip(message.name, message.position, strict=True))


@pytest.mark.parametrize(
    ("names", "positions"), [(["elbow", "neck_joint"], [0.2, 0.1]), (["elbow"], [0.2]), (["a", "b", "c"], [1, 2, 3])]
)
def test_measured_joints_of_another_model_do_not_reach_the_commands_of_this_one(output, names, positions):
    before = commanded(output, 1)
    output.measured(FRAME_NS, names, np.array(positions))
    assert commanded(output, 2) == before == {"neck_joint": 0.1, "elbow": 0.2}


def test_a_goal_of_another_model_starts_at_its_own_joints(output):
    output.use(info("elbow", "neck"), StreamConfig())
    output.begin(4)
    output.seen(FRAME_NS)
    assert not output.frame(FRAME_NS), "the newest measured joints were those of the model before"
    output.measured(FRAME_NS, ["elbow", "neck_joint"], np.array([0.2, 0.1]))
    assert commanded(output, 2) == {"neck_joint": 0.1, "elbow": 0.2}


def test_other_settings_wait_until_the_robot_has_braked():
    now = [100.0]
    output = CommandOutput(MagicMock(), StreamConfig(), lockstep=False, publish=True)
    output._clock = lambda: now[0]
    output.measured(0, ["neck_joint", "elbow"], np.array([0.1, 0.2]))
    old, new = StreamConfig(), StreamConfig(hold_s=2.0)
    output.use(info("neck", "elbow"), old)
    output.begin(4)
    now[0] += 1.0
    output.measured(0, ["neck_joint", "elbow"], np.array([0.1, 0.2]))
    for frame in range(1, 5):
        now[0] += 0.1
        output.frame(frame * FRAME_NS)
        if frame == 1:
            output.stream.adopt(FRAME_NS, np.tile(np.float32([0.9, 0.9]), (12, 1)))
    output.stop()
    assert not output.at_rest
    assert not output.unfinished(info("neck", "elbow"), old)
    assert "brakes" in output.unfinished(info("neck", "elbow"), new)
    assert "brakes" in output.unfinished(info("elbow"), old)
    for _ in range(40):
        now[0] += 0.1
        output._tick()
        if not output.unfinished(info("neck", "elbow"), new):
            break
    assert output.at_rest and output.sent > 5, "the braking commands came"


def moved(outputs, order=(), publish=True):
    """A robot at neck 0.1, elbow 0.2 after two commands towards 0.9; the messages by topic, and the output."""
    node, publishers = MagicMock(), {}
    node.create_publisher.side_effect = lambda kind, topic, *_, **__: publishers.setdefault(topic, MagicMock())
    parameters = OutputParameters.parse({"outputs": outputs, "output_joints": order})
    output = CommandOutput(node, StreamConfig(), lockstep=True, publish=publish, outputs=parameters)
    output.measured(FRAME_NS, ["neck_joint", "elbow"], np.array([0.1, 0.2]))
    output.use(info("neck", "elbow"), StreamConfig())
    output.begin(4)
    for frame in (1, 2):
        output.seen(frame * FRAME_NS)
        assert output.frame(frame * FRAME_NS)
        output.stream.adopt(frame * FRAME_NS, np.tile(np.float32([0.9, 0.9]), (12, 1)))
    return {topic: [call.args[0] for call in one.publish.call_args_list] for topic, one in publishers.items()}, output


def test_every_output_says_the_same_command_in_its_own_message():
    sent, _ = moved(list(OUTPUTS), ["elbow", "neck_joint"])
    states, trajectories, arrays = (sent[OUTPUTS[name].topic] for name in OUTPUTS)
    assert len(states) == len(trajectories) == len(arrays) == 2 and not sent["~/shadow_commands"]
    assert states[1].position[0] > states[0].position[0] == 0.1
    for state, trajectory, values in zip(states, trajectories, arrays, strict=True):
        assert list(state.name) == list(trajectory.joint_names) == ["neck_joint", "elbow"]
        [point] = trajectory.points
        assert list(point.positions) == list(state.position) == list(values.data)[::-1]
        assert (point.time_from_start.sec, point.time_from_start.nanosec) == (0, FRAME_NS)
        assert trajectory.header.stamp.sec == trajectory.header.stamp.nanosec == 0, "now, for a controller"


@pytest.mark.parametrize("name", OUTPUTS)
def test_in_shadow_mode_no_output_reaches_the_robot(name):
    sent, output = moved([name], ["neck", "elbow"] if name == "float64_array" else [], publish=False)
    assert len(sent.pop("~/shadow_commands")) == 2 == output.shadows
    assert list(sent.values()) == [[]]


@pytest.mark.parametrize(
    ("order", "reason"),
    [
        (["neck"], "missing: elbow"),
        (["neck", "elbow", "tail"], "unknown: tail"),
        (["neck", "tail"], "unknown: tail; missing: elbow"),
        (["neck", "elbow", "neck_joint"], "one joint under two names"),
    ],
)
def test_an_order_of_other_joints_is_an_error_before_the_first_command(order, reason):
    with pytest.raises(RobotMismatch, match=reason):
        moved(["float64_array"], order)


@pytest.mark.parametrize(
    "parameters",
    [
        {"outputs": []},
        {"outputs": ["torques"]},
        {"outputs": ["float64_array"]},
        {"output_joints": ["neck"]},
        {"outputs": ["float64_array"], "output_joints": ["neck", "neck"]},
    ],
)
def test_outputs_that_cannot_work_are_an_error_when_the_planner_starts(parameters):
    with pytest.raises(BadConfig, match="output"):
        OutputParameters.parse(parameters)


def test_in_lockstep_a_command_is_sent_again_when_the_robot_still_shows_its_frame(output, monkeypatch):
    before = commanded(output, 1)
    output.repeat(FRAME_NS)
    assert output.shadows == 1, "the repetition was sent before the command came"
    later_s = time.monotonic() + 1.0
    monkeypatch.setattr(time, "monotonic", lambda: later_s)
    output.repeat(2 * FRAME_NS)
    assert output.shadows == 1, "a frame without a command"
    output.repeat(FRAME_NS)
    message = output._shadow.publish.call_args.args[0]
    assert output.shadows == 2 and dict(zip(message.name, message.position, strict=True)) == before
    assert convert.stamp_ns(message.header.stamp) == FRAME_NS
