"""The planner node with a fake world model and robot: what it asks for, and how goals end."""

import math
from copy import deepcopy

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")
from action_msgs.msg import GoalStatus
from fake_world_model import INFO, PERIOD, moving_planner, standing
from hwm_ros.action import PlanActions
from hwm_ros.msg import ActionSequence, ErrorCode, ModelInfo
from rclpy.task import Future
from sensor_msgs.msg import Image
from std_msgs.msg import Float64MultiArray
from trajectory_msgs.msg import JointTrajectory

from hwm_ros import convert

pytestmark = pytest.mark.ros


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    outputs = {"outputs": ("joint_state", "joint_trajectory", "float64_array"), "output_joints": ("neck", "left_elbow")}
    with moving_planner(tmp_path_factory.mktemp("planner"), answer_timeout_s=2.0, **outputs) as peer:
        yield peer


@pytest.fixture(autouse=True)
def plain_answers(model):
    """Every test starts with a model that answers at once."""
    model.be_plain()


def test_a_robot_without_the_models_joints_aborts_the_goal_and_the_missing_joint_is_reported(model):
    other = deepcopy(INFO)
    other.joint_names = ["left_elbow", "tail"]
    model.info.publish(other)
    standing(model).run_ticks(5)
    done = model.result(model.send(num_frames=1))
    model.info.publish(INFO)
    assert done.status == GoalStatus.STATUS_ABORTED
    assert done.result.error_code == ErrorCode.ROBOT_MISMATCH and "tail" in done.result.error_msg
    model.run_ticks(5)


def test_joint_states_may_use_aliases_and_commands_use_the_same_names(model):
    model.place({"neck": 0.25, "left_elbow_joint": 0.5, "wrist": 0.0})
    result = model.result(model.send(num_frames=60)).result
    assert result.error_code == ErrorCode.NONE, result.error_msg
    assert list(result.plan.joint_names) == ["left_elbow", "neck"]
    for command in model.received["/joint_commands"]:
        assert list(command.name) == ["left_elbow_joint", "neck"]
    first = model.received["/joint_commands"][0]
    assert list(first.position) == pytest.approx([0.5, 0.25], abs=0.11)  # the motion of one frame at 3 rad/s


def test_all_outputs_carry_the_same_commands(model):
    model.joint_states = [{"left_elbow": 0.1, "neck": 0.2}]
    kinds = {"/joint_trajectory": JointTrajectory, "/position_commands": Float64MultiArray}
    for topic, kind in kinds.items():
        model.subscribe(kind, topic, 200)
    model.until(lambda: all(map(model.node.count_publishers, kinds)), "the outputs")
    assert model.result(model.send(num_frames=20)).result.error_code == ErrorCode.NONE
    model.fall_silent()
    states, trajectories, arrays = (model.received[topic][-10:] for topic in ("/joint_commands", *kinds))
    sent = [list(state.position) for state in states]
    assert [list(trajectory.points[0].positions) for trajectory in trajectories] == sent
    assert [list(values.data)[::-1] for values in arrays] == sent


def test_separate_messages_of_other_joints_on_the_same_topic_are_ignored(model):
    model.joint_states = [{"left_elbow": 0.1, "neck": 0.2}, {"left_thumb": 0.3}]
    for _ in range(3):
        result = model.result(model.send(num_frames=1)).result
        assert result.error_code == ErrorCode.NONE, result.error_msg


def test_an_inconsistent_model_info_is_ignored(model):
    model.joint_states = [{"left_elbow": 0.1, "neck": 0.2}]
    broken = ModelInfo(joint_names=["left_elbow", "neck"], lower=[0.0], frame_rate_hz=30.0)
    model.info.publish(broken)
    result = model.result(model.send(num_frames=1)).result
    assert result.error_code == ErrorCode.NONE, result.error_msg


def test_a_goal_counts_frames_from_its_first_plan(model):
    model.joint_states = [{"left_elbow": 0.1, "neck": 0.2}]
    result = model.result(model.send(num_frames=1)).result
    assert (result.frames_done, result.best_cost) == (1, 0.0) and result.plans_made >= 1


def test_a_threshold_without_an_image_term_is_rejected_before_anything_is_asked_or_sent(model):
    model.fall_silent()
    standing(model).reported = {"compares_images": False}
    model.run_ticks(5)
    asked, sent = len(model.requests), len(model.received["/joint_commands"])
    result = model.result(model.send(num_frames=3, cost_threshold=0.1)).result
    assert result.error_code == ErrorCode.BAD_REQUEST and "image term" in result.error_msg
    assert (len(model.requests), len(model.received["/joint_commands"])) == (asked, sent)
    assert model.result(model.send(num_frames=1)).result.error_code == ErrorCode.NONE, "a duration needs no image"


def test_a_stale_joint_state_aborts_the_goal(model):
    model.joint_states = [{"left_elbow": 0.1, "neck": 0.2}]
    assert model.result(model.send(num_frames=1)).result.error_code == ErrorCode.NONE
    model.joint_states, model.now_ns = [], model.now_ns + 2 * 10**9
    done = model.result(model.send(num_frames=1))
    assert done.status == GoalStatus.STATUS_ABORTED and done.result.error_code == ErrorCode.NO_CONTEXT
    assert "a newer joint state" in done.result.error_msg and "behind the camera" in done.result.error_msg


def test_a_plan_that_is_ready_after_its_goal_was_canceled_is_not_published(model):
    model.fall_silent()
    plans, before, model.waiting = standing(model).received["/mpc_planner/plan"], len(model.requests), Future()
    handle = model.send(num_frames=60)
    model.until(lambda: len(model.requests) > before, "a search")
    cancel = handle.cancel_goal_async()
    model.until(cancel.done, "the cancellation")
    assert model.result(handle).status == GoalStatus.STATUS_CANCELED
    published, waiting, model.waiting = len(plans), model.waiting, None
    waiting.set_result(None)
    # The next goal is planned, and its plans are the first to be published.
    result = model.result(model.send(num_frames=1)).result
    assert result.error_code == ErrorCode.NONE
    model.until(lambda: len(plans) - published >= result.plans_made, "its plans")
    assert len(plans) - published == result.plans_made


def long_motion(head):
    """A plan that moves until its end."""
    return convert.sequence_message(np.linspace([0.9, 0.9], [-0.9, -0.9], 24), INFO.joint_names, head)


def test_a_search_gets_joints_deadline_and_the_plan_that_is_followed_or_more_time_while_the_robot_stands(model):
    model.place(*standing(model).joint_states)
    before = len(model.requests)
    model.answer = {"plan": long_motion}
    result = model.result(model.send(num_frames=60, joints=["neck"])).result
    assert result.error_code == ErrorCode.NONE, result.error_msg
    assert all((list(r.joints), len(r.goal.data)) == (["neck"], 0) for r in model.requests[before:])
    first, *requests = model.requests[before:]
    assert (first.deadline_s, first.followed.num_steps, convert.stamp_ns(first.begin)) == (3.0, 0, 0)
    assert all(r.deadline_s == 0.5 for r in requests)
    assert all(r.followed.num_steps == 24 and r.observed_frames == 3 for r in requests)
    asked_ns = [convert.stamp_ns(r.followed.header.stamp) for r in requests]
    begin_ns = [convert.stamp_ns(r.begin) for r in requests]
    assert begin_ns[0] - asked_ns[0] == pytest.approx(18 * PERIOD, abs=9), (
        "two frames before, the deadline, and a frame"
    )
    assert 0 < begin_ns[1] - asked_ns[1] < begin_ns[0] - asked_ns[0], "as fast as the search before"
    assert 1e-9 * (asked_ns[1] - asked_ns[0]) > 0.39, "the next plan is asked for 0.4 s later"


def test_a_first_plan_that_holds_still_ends_the_goal_without_a_motion(model):
    model.place(*standing(model).joint_states)
    model.answer = {"source": "hold", "cost": 1.0}
    done = model.result(model.send(num_frames=60))
    assert (done.status, done.result.error_code) == (GoalStatus.STATUS_ABORTED, ErrorCode.NO_MOTION)
    assert "out of reach" in done.result.error_msg and done.result.frames_done == 0
    positions = np.array([command.position for command in model.received["/joint_commands"]]).reshape(-1, 2)
    assert (np.ptp(positions, axis=0) == 0).all() if len(positions) else True


def test_a_goal_that_is_fulfilled_already_is_reached_without_a_command_of_a_plan(model):
    standing(model).answer = {"source": "hold", "cost": 0.01, "observed_cost": 0.02}
    done = model.result(model.send(num_frames=60, cost_threshold=0.05))
    assert (done.status, done.result.frames_done) == (GoalStatus.STATUS_SUCCEEDED, 0)
    assert done.result.outcome == PlanActions.Result.REACHED
    assert done.result.observed_cost == pytest.approx(0.02)


def test_a_goal_by_duration_is_completed_and_a_predicted_cost_reaches_nothing(model):
    standing(model).answer = {"cost": 0.0, "observed_cost": 0.9}
    done = model.result(model.send(num_frames=5))
    assert (done.status, done.result.outcome) == (GoalStatus.STATUS_SUCCEEDED, PlanActions.Result.COMPLETED)
    done = model.result(model.send(num_frames=5, cost_threshold=0.05))
    assert (done.status, done.result.outcome) == (GoalStatus.STATUS_ABORTED, PlanActions.Result.ENDED)
    assert done.result.error_code == ErrorCode.NOT_REACHED and "0.9" in done.result.error_msg


@pytest.mark.parametrize(
    "goal",
    [{}, {"cost_threshold": -1.0}, {"cost_threshold": float("nan")}, {"num_frames": 3, "cost_threshold": float("inf")}],
)
def test_a_goal_that_cannot_be_meant_is_an_error(model, goal):
    done = model.result(standing(model).send(**goal))
    assert (done.status, done.result.error_code) == (GoalStatus.STATUS_ABORTED, ErrorCode.BAD_REQUEST)


def test_a_plan_that_has_ended_before_it_is_ready_aborts_the_goal(model):
    standing(model).age_ns = 25 * PERIOD
    done = model.result(model.send(num_frames=60))
    assert (done.status, done.result.error_code) == (GoalStatus.STATUS_ABORTED, ErrorCode.PLAN_LATE)
    assert "its plan of 0.80 s has ended" in done.result.error_msg


@pytest.mark.parametrize(
    ("actions", "names", "code"),
    [
        ([math.nan] * 48, INFO.joint_names, ErrorCode.BAD_ACTIONS),
        ([0.0] * 47, INFO.joint_names, ErrorCode.BAD_ACTIONS),
        ([0.0] * 48, ["left_elbow", "tail"], ErrorCode.ROBOT_MISMATCH),
    ],
)
def test_a_plan_that_cannot_be_followed_aborts_the_goal_and_the_planner_lives(model, actions, names, code):
    plan = ActionSequence(joint_names=names, num_steps=24, num_joints=2, actions=actions)
    plan.header.stamp = convert.time_of(model.now_ns + 10**9)
    standing(model).answer = {"plan": plan}
    assert model.result(model.send(num_frames=60)).result.error_code == code
    model.answer = {}
    assert model.result(model.send(num_frames=1)).result.error_code == ErrorCode.NONE


def test_a_plan_may_have_another_order_of_joints(model):
    model.place(*standing(model).joint_states)
    model.answer = {
        "plan": lambda head: convert.sequence_message(np.tile([0.6, -0.6], (24, 1)), ["neck", "left_elbow"], head)
    }
    assert model.result(model.send(num_frames=20)).result.error_code == ErrorCode.NONE
    first, last = (model.received["/joint_commands"][k].position for k in (0, -1))
    assert last[0] < first[0] and last[1] > first[1]


def test_a_goal_may_begin_while_the_search_of_the_last_one_still_runs(model):
    plans = len(standing(model).received["/mpc_planner/plan"])
    handle = model.send(num_frames=15)  # the next search begins after 12 frames; after 24 it would be late
    model.until(lambda: len(model.received["/mpc_planner/plan"]) > plans, "a plan")
    asked, model.waiting = len(model.requests), Future()
    waiting = model.waiting
    result = model.result(handle).result
    assert result.error_code == ErrorCode.NONE and result.outcome == PlanActions.Result.COMPLETED
    assert len(model.requests) > asked, "a search runs"
    model.waiting = None
    assert model.result(model.send(num_frames=1)).result.error_code == ErrorCode.NONE
    waiting.set_result(None)


def test_an_error_of_the_search_aborts_the_goal_with_its_text(model):
    standing(model).answer = {"error_code": ErrorCode.NO_GOAL, "error_msg": "no picture"}
    result = model.result(model.send(num_frames=60)).result
    assert (result.error_code, result.error_msg) == (ErrorCode.NO_GOAL, "no picture")


def test_a_search_without_an_answer_aborts_the_goal_when_its_plan_would_be_over(model):
    plans = len(standing(model).received["/mpc_planner/plan"])
    model.place(*model.joint_states)
    model.answer = {"plan": long_motion}
    handle = model.send(num_frames=90)
    model.until(lambda: len(model.received["/mpc_planner/plan"]) > plans, "a plan, so that the robot moves")
    model.waiting = Future()
    result = model.result(handle).result
    assert result.error_code == ErrorCode.PLAN_LATE and "its plan of 0.80 s has ended" in result.error_msg
    model.waiting.set_result(None)


def test_without_a_response_to_the_goal_image_the_goal_is_aborted_and_the_next_goal_runs(model):
    model.joint_states = [{"left_elbow": 0.1, "neck": 0.2}]
    image = Image(height=1, width=1, encoding="rgb8", step=3, data=[0, 0, 0])
    done = model.result(model.send(goal=image, num_frames=3))
    assert done.status == GoalStatus.STATUS_ABORTED
    assert (
        done.result.error_code == ErrorCode.TIMEOUT and "`world_model/set_goal` did not answer" in done.result.error_msg
    )
    assert model.result(model.send(num_frames=1)).result.error_code == ErrorCode.NONE


def test_a_goal_can_be_canceled_before_the_world_model_has_accepted_its_image(model):
    image = Image(height=1, width=1, encoding="rgb8", step=3, data=[0, 0, 0])
    handle = model.send(goal=image, num_frames=3)
    cancel = handle.cancel_goal_async()
    model.until(cancel.done, "the cancellation")
    assert model.result(handle).status == GoalStatus.STATUS_CANCELED
