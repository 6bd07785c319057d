"""The planner beside a world model that this test plays: what it hears of the robot, and what when nobody answers."""

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


class PlayedModel(Peer):
    """A world model whose `set_goal` is there and never answers; all candidates cost the same."""

    def __init__(self) -> None:
        super().__init__()
        self.mute = rclpy.create_node("mute", context=self.context)  # of no executor
        self.mute.create_service(SetGoal, "/world_model/set_goal", lambda request, response: response)
        self.info = self.node.create_publisher(ModelInfo, "/world_model/model_info", LATCHED)
        self.status = self.node.create_publisher(ContextStatus, "/world_model/context_status", 10)
        self.scores = self.node.create_publisher(ActionScores, "/world_model/scores", 10)
        self.states = self.node.create_publisher(JointState, "/joint_states", 10)
        self.node.create_subscription(ActionCandidates, "/world_model/candidates", self._score, 10)
        self.node.create_timer(0.03, self._tick)
        self.listen(JointState, "/joint_commands", 200)
        self.listen(ActionSequence, "/mpc_planner/plan")
        self.actions = ActionClient(self.node, PlanActions, "/mpc_planner/plan_actions")
        self.told: list[dict[str, float]] = []  # joint states, a message each
        self.answers = True  # requests for scores
        self.asked: list[ActionCandidates] = []
        self.now_ns = 1_000_000_000
        self.info.publish(INFO)

    def close(self) -> None:
        self.mute.destroy_node()
        super().close()

    def _tick(self) -> None:
        self.now_ns += PERIOD
        for joints in self.told:
            self.states.publish(
                JointState(header=convert.header(self.now_ns), name=list(joints), position=list(joints.values()))
            )
        self.status.publish(ContextStatus(header=convert.header(self.now_ns), ready=True))

    def _score(self, asked: ActionCandidates) -> None:
        self.asked.append(asked)
        if self.answers:
            self.answer(asked)

    def answer(self, asked: ActionCandidates) -> None:
        self.scores.publish(ActionScores(request_id=asked.request_id, costs=[0.0] * asked.num_candidates))

    def send(self, **goal):
        self.until(self.actions.server_is_ready, "the planner")
        future = self.actions.send_goal_async(PlanActions.Goal(**goal))
        self.until(future.done, "the planner's yes or no")
        return future.result()

    def result(self, handle):
        future = handle.get_result_async()
        self.until(future.done, "the result")
        return future.result()


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    peer = PlayedModel()
    log = tmp_path_factory.mktemp("planner") / "planner.txt"
    with process("mpc_planner", log, publish_commands=True, score_timeout_s=2.0, frame_timeout_s=3.0):
        yield peer
    peer.close()


def test_a_robot_of_other_joints_aborts_the_goal_by_name(model):
    model.told = [{"left_elbow_joint": 0.0, "waist": 0.0}]
    done = model.result(model.send(num_frames=1))
    assert done.status == GoalStatus.STATUS_ABORTED
    assert done.result.error_code == ErrorCode.ROBOT_MISMATCH and "neck" in done.result.error_msg


def test_a_robot_is_heard_under_the_names_it_publishes_and_commanded_by_them(model):
    model.told = [{"neck": 0.25, "left_elbow_joint": 0.5, "wrist": 0.0}]
    result = model.result(model.send(num_frames=60)).result
    assert result.error_code == ErrorCode.NONE, result.error_msg
    assert list(result.plan.joint_names) == ["left_elbow", "neck"]
    for command in model.heard["/joint_commands"]:
        assert list(command.name) == ["left_elbow_joint", "neck"]
    first = model.heard["/joint_commands"][0]
    assert list(first.position) == pytest.approx([0.5, 0.25], abs=0.11)  # a frame's motion at 3 rad/s


def test_hands_that_are_told_by_themselves_on_the_topic_of_the_arms_do_no_harm(model):
    model.told = [{"left_elbow": 0.1, "neck": 0.2}, {"left_thumb": 0.3}]
    for _ in range(3):
        result = model.result(model.send(num_frames=1)).result
        assert result.error_code == ErrorCode.NONE, result.error_msg


def test_a_goal_counts_frames_from_its_first_plan_on(model):
    model.told = [{"left_elbow": 0.1, "neck": 0.2}]
    result = model.result(model.send(num_frames=1)).result
    assert (result.frames_done, result.best_cost) == (1, 0.0) and result.plans_made >= 1


def test_where_the_robot_was_long_ago_no_plan_begins(model):
    model.told = [{"left_elbow": 0.1, "neck": 0.2}]
    assert model.result(model.send(num_frames=1)).result.error_code == ErrorCode.NONE
    model.told, model.now_ns = [], model.now_ns + 2 * 10**9
    done = model.result(model.send(num_frames=1))
    assert done.status == GoalStatus.STATUS_ABORTED and done.result.error_code == ErrorCode.NO_CONTEXT
    assert "a newer joint state" in done.result.error_msg and "behind the camera" in done.result.error_msg


def test_a_plan_that_comes_after_its_goal_was_canceled_is_not_told(model):
    model.told = [{"left_elbow": 0.1, "neck": 0.2}]
    plans, before, model.answers = model.heard["/mpc_planner/plan"], len(model.asked), False
    handle = model.send(num_frames=60)
    model.until(lambda: len(model.asked) > before, "a search")
    cancel = handle.cancel_goal_async()
    model.until(cancel.done, "the cancel")
    assert model.result(handle).status == GoalStatus.STATUS_CANCELED
    heard, model.answers = len(plans), True
    model.answer(model.asked[-1])
    # The worker is free again: the next goal is planned, and its plans are the first that are told.
    result = model.result(model.send(num_frames=1)).result
    assert result.error_code == ErrorCode.NONE and len(plans) - heard == result.plans_made


def test_who_waits_for_scores_is_rejected_when_the_planner_shuts_down():
    peer = Peer()
    scorer = RemoteScorer(peer.node, "nobody", timeout_s=60.0)
    with ThreadPoolExecutor(1) as worker:
        waiting = worker.submit(scorer.score, torch.zeros(2, 3, 1), ["neck"], 1)
        peer.until(lambda: scorer._waiting, "the question")
        scorer.close()
        with pytest.raises(Rejected, match="shut down"):
            waiting.result(timeout=10.0)
        with pytest.raises(Rejected, match="shut down"):
            worker.submit(scorer.score, torch.zeros(2, 3, 1), ["neck"], 1).result(timeout=10.0)
    peer.close()


def test_a_world_model_that_never_takes_the_goal_image_aborts_the_goal_and_the_next_one_is_served(model):
    model.told = [{"left_elbow": 0.1, "neck": 0.2}]
    image = Image(height=1, width=1, encoding="rgb8", step=3, data=[0, 0, 0])
    done = model.result(model.send(goal=image, num_frames=3))
    assert done.status == GoalStatus.STATUS_ABORTED
    assert done.result.error_code == ErrorCode.TIMEOUT and "did not accept the goal image" in done.result.error_msg
    assert model.result(model.send(num_frames=1)).result.error_code == ErrorCode.NONE


def test_a_goal_is_canceled_while_the_world_model_takes_its_image(model):
    image = Image(height=1, width=1, encoding="rgb8", step=3, data=[0, 0, 0])
    handle = model.send(goal=image, num_frames=3)
    cancel = handle.cancel_goal_async()
    model.until(cancel.done, "the cancel")
    assert model.result(handle).status == GoalStatus.STATUS_CANCELED
