"""What stops the planner beside a robot: every fault has its own code and ends in a defined stop; live parameters."""

import math

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")
from action_msgs.msg import GoalStatus
from diagnostic_msgs.msg import DiagnosticStatus
from fake_world_model import INFO, assert_within_limits, moving_planner, standing
from hwm_ros.action import PlanActions
from hwm_ros.msg import ContextStatus, ErrorCode
from sensor_msgs.msg import Image

pytestmark = pytest.mark.ros


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    with moving_planner(tmp_path_factory.mktemp("planner"), answer_timeout_s=20.0) as peer:
        yield peer


@pytest.fixture(autouse=True)
def plain_answers(model):
    """Every test starts with a model that answers at once."""
    model.be_plain()
    model.forget()


@pytest.mark.parametrize(
    ("what", "code"),
    [("joints", "STALE_JOINTS"), ("camera", "STALE_CAMERA"), ("status", "WORLD_MODEL_GONE"), ("robot", "NOT_FOLLOWED")],
)
def test_what_stops_ends_the_goal_with_its_own_code_and_a_defined_stop(model, what, code):
    model.wall = 0.6 if what == "robot" else -math.inf  # in the way to posture 0
    handle = model.follow()
    model.stopped = {what}
    done = model.result(handle)
    assert (done.status, done.result.error_code) == (GoalStatus.STATUS_ABORTED, getattr(ErrorCode, code))
    assert done.result.outcome == PlanActions.Result.ENDED

    def reports(message):
        [status] = message.status
        return status.name == "mpc_planner" and status.level == DiagnosticStatus.ERROR and code in status.message

    model.newest("/diagnostics", reports)
    model.fall_silent()
    positions = np.array([command.position for command in model.received["/joint_commands"]])
    assert_within_limits(model)
    assert np.ptp(positions[-5:], axis=0).max() == 0, "it holds"


def test_joint_states_without_a_stamp_move_the_robot_and_end_the_goal_when_a_joint_is_missing(model):
    model.stamped = False
    handle = model.follow()
    model.joint_states = [{"left_elbow": 0.9}]  # the messages go on, without the neck
    assert model.result(handle).result.error_code == ErrorCode.STALE_JOINTS


def test_a_robot_that_was_moved_after_a_goal_starts_the_next_one_where_it_is(model):
    handle = model.follow()
    cancel = handle.cancel_goal_async()
    model.until(cancel.done, "the cancellation")
    model.result(handle)
    handle = model.follow({"left_elbow": -0.6})
    assert list(model.received["/joint_commands"][0].position) == pytest.approx([-0.6, 0.2], abs=0.03)
    handle.cancel_goal_async()
    model.result(handle)


def test_switching_commands_off_acts_at_once_and_shows_what_would_be_sent(model):
    handle = model.follow()
    assert model.set_parameter("publish_commands", False).successful
    shadows = model.received["/mpc_planner/shadow_commands"]
    model.until(lambda: len(shadows) > 20, "shadow commands")
    assert max(model.sent_s["/joint_commands"]) < min(model.sent_s["/mpc_planner/shadow_commands"])
    assert list(shadows[0].name) == ["left_elbow", "neck"]
    count = len(model.received["/joint_commands"])
    assert model.set_parameter("publish_commands", True).successful
    model.until(lambda: len(model.received["/joint_commands"]) > count + 8, "commands again")
    handle.cancel_goal_async()
    model.result(handle)


def test_parameters_tell_the_truth(model):
    handle = model.follow()
    rejected = model.set_parameter("replan_s", 0.1)
    assert not rejected.successful and "while a goal runs" in rejected.reason
    handle.cancel_goal_async()
    model.result(handle)
    for name, value in (
        ("replan_s", -5.0),
        ("reached_frames", 0),
        ("deadline_s", math.nan),
        ("standing_deadline_s", -1.0),
        ("lockstep", True),
    ):
        assert not model.set_parameter(name, value).successful, name
    assert model.set_parameter("standing_deadline_s", 0.3).successful
    model.result(standing(model).send(num_frames=1))
    assert model.requests[-1].deadline_s == pytest.approx(0.3)
    assert model.set_parameter("standing_deadline_s", 3.0).successful


def test_a_goal_with_a_threshold_is_not_reached_on_fewer_frames_than_asked(model):
    assert standing(model).set_parameter("reached_frames", 30).successful
    done = model.result(model.send(num_frames=5, cost_threshold=0.05))
    assert done.status == GoalStatus.STATUS_ABORTED
    assert "`reached_frames` of the planner: expected at most" in done.result.error_msg
    assert model.result(model.send(num_frames=1)).status == GoalStatus.STATUS_SUCCEEDED, "its costs are not asked for"
    assert model.set_parameter("reached_frames", 3).successful


def test_a_context_without_an_image_is_no_camera_frame_that_jumped(model):
    handle = standing(model).follow()
    model.status.publish(ContextStatus(error_code=ErrorCode.NO_CONTEXT, error_msg="just reset"))
    count = len(model.received["/joint_commands"])
    model.until(lambda: len(model.received["/joint_commands"]) > count + 5, "commands")
    handle.cancel_goal_async()
    assert model.result(handle).result.error_code == ErrorCode.CANCELED


def test_a_goal_ends_after_its_longest_time(model):
    assert standing(model).set_parameter("max_goal_s", 1.0).successful
    done = model.result(model.send(num_frames=6000))
    assert (done.status, done.result.error_code) == (GoalStatus.STATUS_ABORTED, ErrorCode.GOAL_TIME)
    assert model.set_parameter("max_goal_s", 600.0).successful


def test_a_clock_that_jumps_back_ends_the_goal_at_once(model):
    handle = model.follow()
    model.now_ns -= 10_000_000_000
    assert model.result(handle).result.error_code == ErrorCode.CLOCK_JUMP
    model.now_ns += 20_000_000_000


def test_a_world_model_that_starts_again_ends_the_goal(model):
    handle = model.follow()
    model.info.publish(INFO)
    result = model.result(handle).result
    assert result.error_code == ErrorCode.WORLD_MODEL_GONE and "started again" in result.error_msg


def test_a_world_model_that_ends_before_it_has_accepted_the_goal_image_ends_the_goal(model):
    image = Image(height=1, width=1, encoding="rgb8", step=3, data=[0, 0, 0])
    handle = standing(model).send(goal=image, num_frames=3)
    model.stopped = {"status"}
    assert model.result(handle).result.error_code in (ErrorCode.WORLD_MODEL_GONE, ErrorCode.NO_CONTEXT)
