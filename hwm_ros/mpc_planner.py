"""Model-predictive control: plan towards a goal image by querying the world model, act, plan again."""

import time
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from rclpy.action import ActionServer, CancelResponse, GoalResponse
from rclpy.action.server import ServerGoalHandle
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.node import Node
from rclpy.task import Future
from sensor_msgs.msg import Image, JointState

from hwm_core.config import Config
from hwm_core.errors import BadInput
from hwm_core.live.worker import Worker
from hwm_core.planning.follower import PlanFollower, command_in_force
from hwm_core.planning.joint_space import JointSpace
from hwm_core.planning.receding_horizon import PlannerConfig, RecedingHorizonPlanner
from hwm_ros import convert
from hwm_ros.action import PlanActions
from hwm_ros.msg import ActionSequence, ContextStatus, ErrorCode, ModelInfo
from hwm_ros.node import STEADY, Rejected, error_code, error_text, on_executor, run, start_task
from hwm_ros.parameters import declare_parameters, read_parameters
from hwm_ros.plan_goal import PlanGoal
from hwm_ros.qos import JOINTS_IN, JOINTS_OUT, LATCHED, RELIABLE, create_publisher, create_subscription
from hwm_ros.remote_scorer import RemoteScorer
from hwm_ros.robot_joints import RobotJoints
from hwm_ros.srv import SetGoal

_WATCH_S = 0.1
_STALE_S = 0.5  # joint states this far behind the newest frame do not say where the robot is


class MpcPlannerParameters(Config):
    """Parameters of the node."""

    world_model: str = Field(default="world_model", description="name of the world_model node to query")
    publish_commands: bool = Field(default=False, description="move the robot; otherwise plans are only published")
    lockstep: bool = Field(default=False, description="hold a frame's command back until the plan due at it is made")
    replan_frames: int = Field(default=5, ge=1, le=1000, description="frames after which a plan is replaced")
    max_velocity: float = Field(default=3.0, gt=0.0, description="speed limit of every joint in rad/s (or m/s)")
    planner: PlannerConfig = PlannerConfig()
    seed: int = Field(default=0, ge=0, le=2**31 - 1, description="seed of the search's random numbers")
    score_timeout_s: float = Field(default=20.0, gt=0.0, description="wall time to wait for the model's answer")
    frame_timeout_s: float = Field(default=10.0, gt=0.0, description="wall time without a frame that aborts a goal")


class MpcPlannerNode(Node):
    """Every frame that the world model reports gets one command; every few frames the plan is made anew."""

    def __init__(self) -> None:
        super().__init__("mpc_planner")
        declare_parameters(self, MpcPlannerParameters)
        self._settings = settings = read_parameters(self, MpcPlannerParameters)
        self._worker = Worker("mpc_planner")
        self._busy = False  # a goal was accepted and has no result yet
        self._handle: ServerGoalHandle | None = None  # of that goal
        self._ready: Future | None = None  # awaited by a goal until nothing is missing
        self._goal_set: Future | None = None  # awaited by a goal until the world model has its image
        self._waiting_since = 0.0
        self._goal: PlanGoal | None = None
        self._info: ModelInfo | None = None
        self._joints = RobotJoints()
        self._status: ContextStatus | None = None
        self._own_names: list[str] = []  # the model's joints as the robot of the running goal calls them
        self._last_command: NDArray[np.float32] | None = None  # [A] published by this node

        self._scorer = RemoteScorer(self, settings.world_model, settings.score_timeout_s)
        self._set_goal = self.create_client(SetGoal, f"{settings.world_model}/set_goal")
        self._commands = create_publisher(self, JointState, "joint_commands", JOINTS_OUT)
        self._plans = create_publisher(self, ActionSequence, "~/plan", RELIABLE)
        # Callbacks that await keep their group busy; in the default group they would hold back what they wait for.
        awaiting = ReentrantCallbackGroup()
        status = f"{settings.world_model}/context_status"
        create_subscription(self, ModelInfo, f"{settings.world_model}/model_info", self._on_info, LATCHED)
        create_subscription(self, JointState, "joint_states", self._joints.hear, JOINTS_IN)
        create_subscription(self, ContextStatus, status, self._on_status, RELIABLE, awaiting)
        self._server = ActionServer(
            self,
            PlanActions,
            "~/plan_actions",
            execute_callback=self._execute,
            goal_callback=self._may_begin,
            cancel_callback=lambda _: CancelResponse.ACCEPT,
            callback_group=awaiting,
        )
        self.create_timer(_WATCH_S, self._watch, clock=STEADY)

    def destroy_node(self) -> None:
        if self._goal is not None:
            self._goal.finish(ErrorCode.CANCELED, "The planner was shut down.")
        self._scorer.close()  # or the worker's search would wait for an answer that nobody hears any more
        self._worker.close()
        super().destroy_node()

    # ---------------------------------------------------------------- the action

    def _may_begin(self, _: PlanActions.Goal) -> GoalResponse:
        if self._busy:
            self.get_logger().warning("Goal rejected: another one is running. Cancel it first.")
            return GoalResponse.REJECT
        self._busy = True
        return GoalResponse.ACCEPT

    async def _execute(self, handle: ServerGoalHandle) -> PlanActions.Result:
        self._handle = handle
        if not self._settings.lockstep:  # there the frame that waits for a command is an old one
            self._status = None
        try:
            self._ready, self._waiting_since = Future(executor=self.executor), time.monotonic()
            await self._ready
            await self._send_goal(handle.request.goal)
            self._goal = goal = self._begin(handle)
            if self._status is not None:
                await self._on_status(self._status)
            result = goal.result(*await goal.done)
        except Exception as error:
            result = PlanActions.Result(error_code=error_code(error), error_msg=error_text(error))
        finally:
            self._ready = self._goal_set = self._goal = self._handle = None
            self._busy = False
        self._conclude(handle, result)
        return result

    async def _send_goal(self, goal: Image) -> None:
        if len(goal.data) == 0:
            return
        self._waiting_since = time.monotonic()
        self._goal_set = self._set_goal.call_async(SetGoal.Request(goal=goal))
        answer = await self._goal_set
        self._goal_set = None
        if answer.error_code != ErrorCode.NONE:
            raise Rejected(answer.error_code, answer.error_msg)

    def _begin(self, handle: ServerGoalHandle) -> PlanGoal:
        info, settings = self._info, self._settings
        assert info is not None
        horizon = settings.planner.horizon_frames
        if horizon > info.future_frames:
            reason = f"`planner.horizon_frames` is {horizon}, but the model predicts {info.future_frames}. Lower it."
            raise Rejected(ErrorCode.BAD_REQUEST, reason)
        limits = (info.joint_names, info.lower, info.upper, info.scale)
        space = JointSpace.from_limits(*limits, info.frame_rate_hz, settings.max_velocity)
        measured = self._joints.measured(info)
        self._own_names = measured.names
        start = command_in_force(measured.positions, self._last_command, space)
        planner = RecedingHorizonPlanner(settings.planner, space, settings.seed)
        follower = PlanFollower(space, settings.replan_frames, start)
        return PlanGoal(handle, planner, follower, Future(executor=self.executor))

    def _conclude(self, handle: ServerGoalHandle, result: PlanActions.Result) -> None:
        if result.error_code == ErrorCode.NONE:
            handle.succeed()
        elif result.error_code == ErrorCode.CANCELED and handle.is_cancel_requested:
            handle.canceled()
        else:
            self.get_logger().error(f"Goal aborted: {result.error_msg}")
            handle.abort()

    def _watch(self) -> None:
        """Notice what sends no message: a client that cancels, nodes that stay away."""
        waited_s, limit_s = time.monotonic() - self._waiting_since, self._settings.frame_timeout_s
        if self._handle is not None and self._handle.is_cancel_requested:
            self._give_up(ErrorCode.CANCELED, "Canceled by the client.")
        elif self._ready is not None:
            # Nodes that have just started find each other within a second or so.
            missing = self._missing()
            if not missing:
                self._ready.set_result(None)
                self._ready = None
            elif waited_s > limit_s:
                self._give_up(ErrorCode.NO_CONTEXT, f"Waited {limit_s:g} s in vain for {missing}.")
        elif self._goal_set is not None:
            if waited_s > (limit_s := self._settings.score_timeout_s):
                self._give_up(ErrorCode.TIMEOUT, f"The world model did not take the goal within {limit_s:g} s.")
        elif self._goal is not None and self._goal.silent_s() > limit_s:
            hint = "" if self._settings.publish_commands else " A robot in lockstep waits for publish_commands:=true."
            self._give_up(ErrorCode.TIMEOUT, f"No new frame for {limit_s:g} s.{hint}")

    def _give_up(self, code: int, reason: str) -> None:
        """End the goal, whatever it waits for."""
        if self._goal is not None:
            self._goal.finish(code, reason)
        for awaited in (self._ready, self._goal_set):
            if awaited is not None and not awaited.done():
                awaited.set_exception(Rejected(code, reason))
        if self._goal_set is not None:
            self._set_goal.remove_pending_request(self._goal_set)
        self._ready = self._goal_set = None

    def _missing(self) -> str:
        if self._info is None or self._status is None or not self._set_goal.service_is_ready():
            return f"an active node `{self._settings.world_model}` that sees camera images"
        if not self._joints:
            return "a joint state: a plan starts from where the robot is"
        try:
            behind_s = 1e-9 * (convert.stamp_ns(self._status.header.stamp) - self._joints.measured(self._info).stamp_ns)
        except BadInput:
            return ""  # `_begin` says what is wrong with them
        return "" if behind_s <= _STALE_S else f"a newer joint state: the newest is {behind_s:.1f} s behind the camera"

    # ---------------------------------------------------------------- frame by frame

    def _on_info(self, message: ModelInfo) -> None:
        self._info = message

    async def _on_status(self, status: ContextStatus) -> None:
        self._status = status
        goal, stamp_ns = self._goal, convert.stamp_ns(status.header.stamp)
        if goal is None or goal.over or not goal.is_new(stamp_ns):
            return
        try:
            await self._act(goal, status, stamp_ns)
        except Exception as error:
            goal.finish(error_code(error), error_text(error))

    async def _act(self, goal: PlanGoal, status: ContextStatus, stamp_ns: int) -> None:
        if not status.ready:
            if status.error_code != ErrorCode.NO_CONTEXT:
                raise Rejected(status.error_code, status.error_msg)
            # Still while the context fills; where actions are commands, that fills it.
            self._command(goal.follower.hold(stamp_ns), stamp_ns)
            return
        if goal.follower.due(stamp_ns) and not goal.planning:
            if self._settings.lockstep:
                await self._plan(goal, stamp_ns)
            else:
                start_task(self, self._plan, goal, stamp_ns)
        if not goal.over:
            self._command(goal.follower.command(stamp_ns), stamp_ns)
            goal.commanded()

    async def _plan(self, goal: PlanGoal, stamp_ns: int) -> None:
        assert self._info is not None
        began, goal.planning = time.perf_counter(), True
        names, follower = list(self._info.joint_names), goal.follower
        search = partial(
            goal.planner.plan,
            partial(self._scorer.score, joint_names=names, stamp_ns=stamp_ns),
            torch.as_tensor(follower.newest),
            follower.elapsed_frames(stamp_ns),
            lambda _: not goal.over,
        )
        try:
            plan = await on_executor(self, self._worker.submit(search))
        except Exception as error:
            goal.finish(error_code(error), error_text(error))
            return
        finally:
            goal.planning = False
        if goal.over:
            return
        actions = plan.actions.numpy()
        follower.adopt(stamp_ns, actions)
        message = convert.sequence_message(actions, names, convert.header(stamp_ns))
        goal.planned(message, plan.cost, time.perf_counter() - began)
        self._plans.publish(message)

    def _command(self, action: NDArray[np.float32], stamp_ns: int) -> None:
        if self._settings.publish_commands:
            self._last_command = action
            self._commands.publish(convert.joint_message(self._own_names, action, convert.header(stamp_ns)))


def main() -> None:
    """Entry of the executable `mpc_planner`."""
    torch.set_num_threads(1)  # the search is small, and the cores are the model's
    run(MpcPlannerNode)
