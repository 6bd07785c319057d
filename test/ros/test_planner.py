"""The planner node with a fake world model: joint names of the robot, time limits, cancellation."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

pytest.importorskip("rclpy", reason="needs ROS 2")
import rclpy
from action_msgs.msg import GoalStatus
from hwm_ros.action import PlanActions
from hwm_ros.msg import ActionCandidates, ActionScores, ActionSequence, ContextStatus, ErrorCode, ModelInfo
from hwm_ros.srv import SetGoal
from rclpy.action import ActionClient
from rclpy.qos import DurabilityPolicy, QoSProfile
from ros_harness import Peer, process
from sensor_msgs.msg import Image, JointState

from hwm_ros import convert
from hwm_ros.error_codes import Rejected
from hwm_ros.remote_scorer import RemoteScorer

pytestmark = pytest.mark.ros

LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
PERIOD = 33_333_333
INFO = ModelInfo(
    joint_names=["left_elbow", "neck"],
    aliases=["left_elbow_joint"],
    alias_joints=["left_elbow"],
    lower=[-1.0, -1.0],
    upper=[1.0, 1.0],
    scale=[0.1, 0.1],
    frame_rate_hz=30.0,
    past_frames=9,
    future_frames=24,
)


class FakeWorldModel(Peer):
    """All candidates have cost 0. The service `set_goal` exists but never responds."""

    def __init__(self) -> None:
        super().__init__()
        self.silent = rclpy.create_node("silent", context=self.context)  # no executor spins it
        self.silent.create_service(SetGoal, "/world_model/set_goal", lambda request, response: response)
        self.info = self.node.create_publisher(ModelInfo, "/world_model/model_info", LATCHED)
        self.status = self.node.create_publisher(ContextStatus, "/world_model/context_status", 10)
        self.scores = self.node.create_publisher(ActionScores, "/world_model/scores", 10)
        self.states = self.node.create_publisher(JointState, "/joint_states", 10)
        self.node.create_subscription(ActionCandidates, "/world_model/candidates", self._score, 10)
        self.node.create_timer(0.03, self._tick)
        self.subscribe(JointState, "/joint_commands", 200)
        self.subscribe(ActionSequence, "/mpc_planner/plan")
        self.actions = ActionClient(self.node, PlanActions, "/mpc_planner/plan_actions")
        self.joint_states: list[dict[str, float]] = []  # one message each, published at every tick
        self.answers = True  # whether requests for scores are answered
        self.requests: list[ActionCandidates] = []
        self.now_ns = 1_000_000_000
        self.info.publish(INFO)

    def close(self) -> None:
        self.silent.destroy_node()
        super().close()

    def _tick(self) -> None:
        self.now_ns += PERIOD
        for joints in self.joint_states:
            self.states.publish(
                JointState(header=convert.header(self.now_ns), name=list(joints), position=list(joints.values()))
            )
        self.status.publish(ContextStatus(header=convert.header(self.now_ns), ready=True))

    def _score(self, request: ActionCandidates) -> None:
        self.requests.append(request)
        if self.answers:
            self.answer(request)

    def answer(self, request: ActionCandidates) -> None:
        self.scores.publish(ActionScores(request_id=request.request_id, costs=[0.0] * request.num_candidates))

    def send(self, **goal):
        self.until(self.actions.server_is_ready, "the planner")
        future = self.actions.send_goal_async(PlanActions.Goal(**goal))
        self.until(future.done, "the planner to accept or reject the goal")
        return future.result()

    def result(self, handle):
        future = handle.get_result_async()
        self.until(future.done, "the result")
        return future.result()


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    peer = FakeWorldModel()
    log = tmp_path_factory.mktemp("planner") / "planner.txt"
    with process("mpc_planner", log, publish_commands=True, score_timeout_s=2.0, frame_timeout_s=3.0):
        yield peer
    peer.close()


def test_a_robot_without_the_models_joints_aborts_the_goal_and_the_missing_joint_is_reported(model):
    model.joint_states = [{"left_elbow_joint": 0.0, "waist": 0.0}]
    done = model.result(model.send(num_frames=1))
    assert done.status == GoalStatus.STATUS_ABORTED
    assert done.result.error_code == ErrorCode.ROBOT_MISMATCH and "neck" in done.result.error_msg


def test_joint_states_may_use_aliases_and_commands_use_the_same_names(model):
    model.joint_states = [{"neck": 0.25, "left_elbow_joint": 0.5, "wrist": 0.0}]
    result = model.result(model.send(num_frames=60)).result
    assert result.error_code == ErrorCode.NONE, result.error_msg
    assert list(result.plan.joint_names) == ["left_elbow", "neck"]
    for command in model.received["/joint_commands"]:
        assert list(command.name) == ["left_elbow_joint", "neck"]
    first = model.received["/joint_commands"][0]
    assert list(first.position) == pytest.approx([0.5, 0.25], abs=0.11)  # the motion of one frame at 3 rad/s


def test_separate_messages_of_other_joints_on_the_same_topic_are_ignored(model):
    model.joint_states = [{"left_elbow": 0.1, "neck": 0.2}, {"left_thumb": 0.3}]
    for _ in range(3):
        result = model.result(model.send(num_frames=1)).result
        assert result.error_code == ErrorCode.NONE, result.error_msg


def test_a_goal_counts_frames_from_its_first_plan(model):
    model.joint_states = [{"left_elbow": 0.1, "neck": 0.2}]
    result = model.result(model.send(num_frames=1)).result
    assert (result.frames_done, result.best_cost) == (1, 0.0) and result.plans_made >= 1


def test_a_stale_joint_state_aborts_the_goal(model):
    model.joint_states = [{"left_elbow": 0.1, "neck": 0.2}]
    assert model.result(model.send(num_frames=1)).result.error_code == ErrorCode.NONE
    model.joint_states, model.now_ns = [], model.now_ns + 2 * 10**9
    done = model.result(model.send(num_frames=1))
    assert done.status == GoalStatus.STATUS_ABORTED and done.result.error_code == ErrorCode.NO_CONTEXT
    assert "a newer joint state" in done.result.error_msg and "behind the camera" in done.result.error_msg


def test_a_plan_that_is_ready_after_its_goal_was_canceled_is_not_published(model):
    model.joint_states = [{"left_elbow": 0.1, "neck": 0.2}]
    plans, before, model.answers = model.received["/mpc_planner/plan"], len(model.requests), False
    handle = model.send(num_frames=60)
    model.until(lambda: len(model.requests) > before, "a search")
    cancel = handle.cancel_goal_async()
    model.until(cancel.done, "the cancellation")
    assert model.result(handle).status == GoalStatus.STATUS_CANCELED
    published, model.answers = len(plans), True
    model.answer(model.requests[-1])
    # The worker is free again: the next goal is planned, and its plans are the first to be published.
    result = model.result(model.send(num_frames=1)).result
    assert result.error_code == ErrorCode.NONE and len(plans) - published == result.plans_made


def test_waiting_and_later_requests_for_scores_fail_when_the_scorer_is_closed():
    peer = Peer()
    scorer = RemoteScorer(peer.node, "nobody", timeout_s=60.0)
    with ThreadPoolExecutor(1) as worker:
        waiting = worker.submit(scorer.score, torch.zeros(2, 3, 1), ["neck"], 1)
        peer.until(lambda: scorer._waiting, "the request")
        scorer.close()
        with pytest.raises(Rejected, match="shut down"):
            waiting.result(timeout=10.0)
        with pytest.raises(Rejected, match="shut down"):
            worker.submit(scorer.score, torch.zeros(2, 3, 1), ["neck"], 1).result(timeout=10.0)
    peer.close()


def test_without_a_response_to_the_goal_image_the_goal_is_aborted_and_the_next_goal_runs(model):
    model.joint_states = [{"left_elbow": 0.1, "neck": 0.2}]
    image = Image(height=1, width=1, encoding="rgb8", step=3, data=[0, 0, 0])
    done = model.result(model.send(goal=image, num_frames=3))
    assert done.status == GoalStatus.STATUS_ABORTED
    assert done.result.error_code == ErrorCode.TIMEOUT and "did not accept the goal image" in done.result.error_msg
    assert model.result(model.send(num_frames=1)).result.error_code == ErrorCode.NONE


def test_a_goal_can_be_canceled_before_the_world_model_has_accepted_its_image(model):
    image = Image(height=1, width=1, encoding="rgb8", step=3, data=[0, 0, 0])
    handle = model.send(goal=image, num_frames=3)
    cancel = handle.cancel_goal_async()
    model.until(cancel.done, "the cancellation")
    assert model.result(handle).status == GoalStatus.STATUS_CANCELED
