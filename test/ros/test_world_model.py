"""The world_model node in a separate process: real DDS, untrained weights."""

import numpy as np
import pytest
from untrained import JOINTS, save_untrained

pytest.importorskip("rclpy", reason="needs ROS 2")
from hwm_ros.msg import ErrorCode, ModelInfo, PredictedFrames
from hwm_ros.srv import GetModelInfo, MakePlan, PredictRollout, ResetContext, ScoreActions, SetGoal
from rcl_interfaces.srv import ListParameters
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from ros_robot import FRAME_NS, GOAL, camera_image, robot_of, some_candidates
from sensor_msgs.msg import Image

from hwm_ros import convert

pytestmark = pytest.mark.ros


@pytest.fixture(scope="module")
def robot(tmp_path_factory):
    """A robot with an active node; the model's actions are commands."""
    folder = tmp_path_factory.mktemp("node")
    parameters = {
        "prediction_rate_hz": 10.0,
        "live__max_candidates": 40_000,
        "search__proposals": 8,
        "search__refinements": 1,
        "search__polish": False,
        "limits__max_velocity": 2.0,
    }
    with robot_of(folder, save_untrained(folder / "checkpoint"), **parameters) as peer:
        yield peer


@pytest.fixture
def ready(robot):
    """The robot with a goal and a newly filled context."""
    robot.call(ResetContext, "/world_model/reset_context", ResetContext.Request())
    robot.call(SetGoal, "/world_model/set_goal", SetGoal.Request(goal=GOAL))
    robot.fill()
    return robot


def frames_of(message):
    """The frames [S, F, H, W, 3], by the comments of PredictedFrames.msg."""
    shape = (message.num_candidates, message.num_frames, message.height, message.width, 3)
    return np.frombuffer(message.data, np.uint8).reshape(shape)


def score(robot, **changes):
    request = ScoreActions.Request(candidates=some_candidates())
    for field, value in changes.items():
        setattr(request, field, value)
    return robot.call(ScoreActions, "/world_model/score_actions", request).scores


def test_every_image_gets_a_status_with_its_stamp(ready):
    status = ready.tick()
    assert convert.stamp_ns(status.header.stamp) == ready.stamp_ns - FRAME_NS
    assert status.header.frame_id == "camera"
    assert (status.ready, status.frames_held, status.images_dropped) == (True, 9, 0)
    assert status.image_stamp == status.header.stamp
    assert status.image_period_s == pytest.approx(1 / 30, rel=1e-3)


def test_the_model_info_is_latched_and_equals_the_service(robot):
    latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    robot.subscribe(ModelInfo, "/world_model/model_info", latched)
    info = robot.newest("/world_model/model_info")
    assert list(info.joint_names) == list(JOINTS)
    assert (info.action_kind, info.past_frames, info.future_frames) == (ModelInfo.COMMANDS, 9, 24)
    assert list(info.max_velocity) == [2.0] * 3
    assert robot.call(GetModelInfo, "/world_model/get_model_info", GetModelInfo.Request()).info == info


def test_the_topic_and_the_service_return_the_same_costs(ready):
    by_service = score(ready)
    assert (by_service.error_code, by_service.error_msg) == (ErrorCode.NONE, "")
    publisher = ready.node.create_publisher(type(some_candidates()), "/world_model/candidates", 10)
    ready.until(publisher.get_subscription_count, "the node's subscription")
    publisher.publish(some_candidates(request_id=77))
    by_topic = ready.newest("/world_model/scores", lambda message: message.request_id == 77)
    assert by_topic.costs == by_service.costs
    assert by_topic.best_index == int(np.argmin(by_topic.costs))
    terms = np.asarray(by_topic.term_costs).reshape(4, len(by_topic.term_names))
    np.testing.assert_allclose(terms.sum(axis=1), by_topic.costs, rtol=1e-5)
    assert convert.stamp_ns(by_topic.header.stamp) == ready.stamp_ns - FRAME_NS


def test_images_are_received_while_candidates_are_scored(ready):
    publisher = ready.node.create_publisher(type(some_candidates()), "/world_model/candidates", 10)
    ready.until(publisher.get_subscription_count, "the node's subscription")
    publisher.publish(some_candidates(count=40_000, request_id=78))  # a second of work
    scores, ticks = ready.received["/world_model/scores"], 0
    while not any(message.request_id == 78 for message in scores):
        ready.tick()
        ticks += 1
    assert ticks >= 3, "the scores came after the status of at least two images"


def test_columns_are_matched_by_name_in_any_order(ready):
    straight = some_candidates()
    values = convert.read_candidates(straight)
    reordered = convert.candidates_message(values[:, :, ::-1], JOINTS[::-1], straight.header)
    assert score(ready, candidates=reordered).costs == score(ready, candidates=straight).costs


def test_candidates_of_a_wrong_size_are_rejected_with_the_expected_size(ready):
    message = some_candidates()
    message.num_steps += 1
    scores = score(ready, candidates=message)
    assert scores.error_code == ErrorCode.BAD_ACTIONS
    assert "4 x 25 x 3" in scores.error_msg
    assert (scores.best_index, len(scores.costs)) == (-1, 0)


def test_candidates_of_unknown_joints_are_rejected_with_the_missing_name(ready):
    scores = score(ready, candidates=some_candidates(names=("neck_yaw", "left_elbow", "wheel")))
    assert scores.error_code == ErrorCode.ROBOT_MISMATCH
    assert "right_elbow" in scores.error_msg


def test_candidates_with_nan_are_rejected(ready):
    message = some_candidates()
    message.actions[5] = float("nan")
    assert score(ready, candidates=message).error_code == ErrorCode.BAD_ACTIONS


def test_without_a_goal_image_candidates_are_rejected(ready):
    ready.call(SetGoal, "/world_model/set_goal", SetGoal.Request())
    assert score(ready).error_code == ErrorCode.NO_GOAL
    assert score(ready, goal=GOAL).error_code == ErrorCode.NONE


def test_a_goal_image_of_a_wrong_aspect_ratio_is_rejected(robot):
    wide = convert.image_message(np.zeros((16, 64, 3), np.uint8), convert.header(1))
    answer = robot.call(SetGoal, "/world_model/set_goal", SetGoal.Request(goal=wide))
    assert answer.error_code == ErrorCode.BAD_IMAGE


def plan(robot, **request):
    return robot.call(MakePlan, "/world_model/plan", MakePlan.Request(**request))


def test_a_plan_starts_at_the_newest_frame_and_moves_the_joints_of_the_request(ready):
    made = plan(ready, joints=["left_elbow"])
    assert (made.error_code, made.error_msg, made.complete) == (ErrorCode.NONE, "", True)
    assert convert.stamp_ns(made.plan.header.stamp) == ready.stamp_ns - FRAME_NS
    actions = convert.read_sequence(made.plan)
    assert actions.shape == (24, 3)
    assert list(made.plan.joint_names) == list(JOINTS)
    assert (np.ptp(actions[:, [0, 2]], axis=0) == 0).all()
    assert made.cost <= made.cost_of_holding
    assert made.futures > 8
    assert made.search_ms > 0
    followed = convert.sequence_message(actions[:, ::-1], JOINTS[::-1], made.plan.header)
    assert plan(ready, joints=["left_elbow"], followed=followed).futures < made.futures, "only the first draws more"


def test_bad_requests_for_a_plan_are_answered_with_the_reason(ready):
    assert plan(ready, joints=["wheel"]).error_code == ErrorCode.ROBOT_MISMATCH
    broken = convert.sequence_message(
        np.full((4, 3), np.nan, np.float32), JOINTS, convert.header(ready.stamp_ns - FRAME_NS)
    )
    assert plan(ready, followed=broken).error_code == ErrorCode.BAD_ACTIONS
    broken.num_steps = 5
    assert plan(ready, followed=broken).error_code == ErrorCode.BAD_ACTIONS
    assert plan(ready, deadline_s=-1.0).error_code == ErrorCode.BAD_REQUEST
    too_short = plan(ready, deadline_s=1e-6)
    assert too_short.error_code == ErrorCode.TIMEOUT
    assert "search.proposals" in too_short.error_msg
    assert too_short.plan.num_steps == 0
    ready.call(SetGoal, "/world_model/set_goal", SetGoal.Request())
    assert plan(ready).error_code == ErrorCode.NO_GOAL


def test_a_rollout_returns_one_frame_per_action(ready):
    request = PredictRollout.Request(candidates=some_candidates(count=2, frames=5))
    answer = ready.call(PredictRollout, "/world_model/predict_rollout", request)
    assert frames_of(answer.frames).shape == (2, 5, 16, 16, 3)
    assert (answer.frames.source, answer.frames.header.frame_id) == (PredictedFrames.REQUEST, "camera")


def test_the_preview_holds_the_newest_command_until_candidates_are_scored(robot):
    robot.call(ResetContext, "/world_model/reset_context", ResetContext.Request())
    robot.fill()
    robot.subscribe(PredictedFrames, "/world_model/predicted_frames")
    robot.subscribe(Image, "/world_model/prediction_image")
    held = robot.newest("/world_model/predicted_frames")
    assert held.source == PredictedFrames.HOLD
    assert frames_of(held).shape == (1, 24, 16, 16, 3)
    score(robot, goal=GOAL)
    robot.newest("/world_model/predicted_frames", lambda message: message.source == PredictedFrames.PLAN)
    assert robot.newest("/world_model/prediction_image").encoding == "rgb8"


def test_without_a_context_candidates_are_rejected(robot):
    robot.call(ResetContext, "/world_model/reset_context", ResetContext.Request())
    assert score(robot, goal=GOAL).error_code == ErrorCode.NO_CONTEXT


@pytest.mark.parametrize(
    "changes",
    [{"data": [0] * 30}, {"encoding": "32FC3"}, {"width": 64, "step": 192, "height": 16}],
    ids=["truncated", "wrong encoding", "wrong aspect ratio"],
)
def test_a_bad_image_is_counted_and_the_node_continues(ready, changes):
    before = ready.tick()
    status = ready.tick(camera_image(ready.stamp_ns, **changes))
    assert status.images_dropped == before.images_dropped + 1
    assert status.header.stamp == before.header.stamp
    assert ready.tick().ready


def test_a_zero_stamp_is_counted_and_the_node_continues(ready):
    before = ready.tick()
    assert ready.tick(camera_image(0)).images_dropped == before.images_dropped + 1
    assert ready.tick().ready


def test_a_nan_state_is_counted_and_the_node_continues(ready):
    before = ready.tick()
    bad = convert.joint_message(JOINTS, [0, float("nan"), 0], convert.header(ready.stamp_ns))
    ready.states.publish(bad)
    ready.tick()  # two topics have no common order: the first image may arrive before the state
    status = ready.tick()
    assert status.joint_messages_dropped == before.joint_messages_dropped + 1
    assert status.ready


def test_a_backward_clock_jump_empties_the_context_and_it_fills_again(ready):
    ready.stamp_ns -= 3_000_000_000
    status = ready.tick()
    assert (status.flushes_clock, status.frames_held, status.ready) == (1, 1, False)
    assert status.error_code == ErrorCode.NO_CONTEXT
    assert ready.fill().flushes_clock == 1


def test_a_robot_with_other_joints_is_rejected_with_the_missing_name(robot):
    robot.call(ResetContext, "/world_model/reset_context", ResetContext.Request())
    others = ("neck_yaw", "left_elbow_joint", "right_elbow_joint")
    for _ in range(12):
        status = robot.tick(joints=others)
    assert (status.ready, status.error_code) == (False, ErrorCode.ROBOT_MISMATCH)
    assert "left_elbow" in status.error_msg
    assert score(robot, goal=GOAL).error_code == ErrorCode.ROBOT_MISMATCH
    report = robot.newest("/diagnostics", lambda m: "left_elbow" in m.status[0].message)
    assert report.status[0].level == b"\x02"


def test_a_publisher_with_incompatible_qos_is_logged_with_the_fix(robot):
    best_effort = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
    publisher = robot.node.create_publisher(type(some_candidates()), "/world_model/candidates", best_effort)
    fix = "qos_overrides./world_model/candidates.subscription.reliability"
    robot.until(lambda: fix in robot.log.read_text(), "the log line")
    robot.node.destroy_publisher(publisher)
    response = robot.call(ListParameters, "/world_model/list_parameters", ListParameters.Request(depth=0))
    fixes = {fix, fix.replace("reliability", "durability")}
    assert fixes <= set(response.result.names), "the parameters in the log message exist"


def test_diagnostics_report_rates_latencies_drops_and_memory(ready):
    score(ready)
    for _ in range(10):
        ready.tick()
    report = ready.newest("/diagnostics", lambda m: any(v.key == "rollout_p95_ms" for v in m.status[0].values))
    keys = {value.key for value in report.status[0].values}
    assert {"image_rate_hz", "images_dropped", "status_p95_ms", "memory_peak_mb", "newest_frame_age_s"} <= keys
