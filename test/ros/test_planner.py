"""The planner node with a fake world model: joint names of the robot, what it asks for, time limits, cancellation."""

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")
import rclpy
from action_msgs.msg import GoalStatus
from hwm_ros.action import PlanActions
from hwm_ros.msg import ActionSequence, ContextStatus, ErrorCode, ModelInfo
from hwm_ros.srv import MakePlan, SetGoal
from rclpy.action import ActionClient
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.task import Future
from ros_harness import Peer, process
from sensor_msgs.msg import Image, JointState

from hwm_ros import convert

pytestmark = pytest.mark.ros

LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
PERIOD = 33_333_333
INFO = ModelInfo(
    joint_names=["left_elbow", "neck"],
    aliases=["left_elbow_joint"],
    alias_joints=["left_elbow"],
    lower=[-1.0, -1.0],
    upper=[1.0, 1.0],
    max_velocity=[3.0, 3.0],
    max_acceleration=[20.0, 20.0],
    scale=[0.1, 0.1],
    frame_rate_hz=30.0,
    past_frames=9,
    future_frames=24,
)


class FakeWorldModel(Peer):
    """Every plan leads to posture 0. The service `set_goal` exists but never responds."""

    def __init__(self) -> None:
        super().__init__()
        self.silent = rclpy.create_node("silent", context=self.context)  # no executor spins it
        self.silent.create_service(SetGoal, "/world_model/set_goal", lambda request, response: response)
        self.info = self.node.create_publisher(ModelInfo, "/world_model/model_info", LATCHED)
        self.status = self.node.create_publisher(ContextStatus, "/world_model/context_status", 10)
        self.states = self.node.create_publisher(JointState, "/joint_states", 10)
        group = ReentrantCallbackGroup()
        self.node.create_service(MakePlan, "/world_model/plan", self._plan, callback_group=group)
        self.node.create_timer(0.03, self._tick)
        self.subscribe(JointState, "/joint_commands", 200)
        self.subscribe(ActionSequence, "/mpc_planner/plan")
        self.actions = ActionClient(self.node, PlanActions, "/mpc_planner/plan_actions")
        self.joint_states: list[dict[str, float]] = []  # one message each, published at every tick
        self.waiting: Future | None = None  # completed: the requests that wait for it are answered
        self.answer: dict[str, object] = {}  # fields of the response that differ
        self.age_ns = 0  # of the frame that a plan starts from
        self.requests: list[MakePlan.Request] = []
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
        head = convert.header(self.now_ns)
        self.status.publish(ContextStatus(header=head, image_stamp=head.stamp, image_period_s=1 / 30, ready=True))

    async def _plan(self, request: MakePlan.Request, response: MakePlan.Response) -> MakePlan.Response:
        self.requests.append(request)
        head = convert.header(self.now_ns - self.age_ns)
        if self.waiting is not None:
            await self.waiting
        response.plan = convert.sequence_message(np.zeros((24, 2), np.float32), INFO.joint_names, head)
        response.source, response.cost_of_holding = "joint move", 1.0
        for field, value in self.answer.items():
            setattr(response, field, value)
        return response

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
    with process("mpc_planner", log, publish_commands=True, answer_timeout_s=2.0, frame_timeout_s=3.0, deadline_s=0.5):
        yield peer
    peer.close()


@pytest.fixture(autouse=True)
def plain_answers(model):
    """Every test starts with a model that answers at once."""
    model.waiting, model.answer, model.age_ns = None, {}, 0


def standing(model):
    model.joint_states = [{"left_elbow": 0.1, "neck": 0.2}]
    return model


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


def test_the_search_gets_joints_deadline_and_the_plan_that_is_followed(model):
    before = len(standing(model).requests)
    result = model.result(model.send(num_frames=40, joints=["neck"])).result
    assert result.error_code == ErrorCode.NONE, result.error_msg
    requests = model.requests[before:]
    assert all((list(r.joints), r.deadline_s, len(r.goal.data)) == (["neck"], 0.5, 0) for r in requests)
    assert [request.followed.num_steps for request in requests[:2]] == [0, 24]
    elapsed_s = 1e-9 * (model.now_ns - convert.stamp_ns(requests[1].followed.header.stamp))
    assert elapsed_s > 0.39, "the next plan is asked for 0.4 s later"


def test_a_first_plan_that_holds_still_ends_the_goal_without_a_motion(model):
    standing(model).answer = {"source": "hold", "cost": 1.0}
    model.received["/joint_commands"].clear()
    done = model.result(model.send(num_frames=60))
    assert (done.status, done.result.error_code) == (GoalStatus.STATUS_ABORTED, ErrorCode.NO_MOTION)
    assert "out of reach" in done.result.error_msg and done.result.frames_done == 0
    positions = np.array([command.position for command in model.received["/joint_commands"]]).reshape(-1, 2)
    assert (np.ptp(positions, axis=0) == 0).all() if len(positions) else True


def test_a_goal_that_is_fulfilled_already_succeeds_without_a_command_of_a_plan(model):
    standing(model).answer = {"source": "joint move", "cost": 0.01, "cost_of_holding": 0.02}
    done = model.result(model.send(num_frames=60, cost_threshold=0.05))
    assert (done.status, done.result.frames_done) == (GoalStatus.STATUS_SUCCEEDED, 0)
    assert done.result.cost_of_holding == pytest.approx(0.02)


def test_a_plan_that_has_ended_before_it_is_ready_aborts_the_goal(model):
    standing(model).age_ns = 25 * PERIOD
    done = model.result(model.send(num_frames=60))
    assert (done.status, done.result.error_code) == (GoalStatus.STATUS_ABORTED, ErrorCode.TIMEOUT)
    assert "its plan lasts 0.80 s" in done.result.error_msg


def test_an_error_of_the_search_aborts_the_goal_with_its_text(model):
    standing(model).answer = {"error_code": ErrorCode.NO_GOAL, "error_msg": "no picture"}
    result = model.result(model.send(num_frames=60)).result
    assert (result.error_code, result.error_msg) == (ErrorCode.NO_GOAL, "no picture")


def test_a_search_without_an_answer_aborts_the_goal(model):
    standing(model).waiting = Future()
    result = model.result(model.send(num_frames=60)).result
    assert result.error_code == ErrorCode.TIMEOUT and "`world_model/plan` did not answer" in result.error_msg
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
