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
from hwm_core.data.manifest import match_names
from hwm_core.metrics.latency import percentiles_ms
from hwm_core.planning.follower import PlanFollower, command_in_force
from hwm_core.planning.joint_space import JointSpace
from hwm_core.planning.receding_horizon import PlannerConfig, RecedingHorizonPlanner
from hwm_core.worker import Worker
from hwm_ros import convert
from hwm_ros.action import PlanActions
from hwm_ros.msg import ActionSequence, ContextStatus, ErrorCode, ModelInfo
from hwm_ros.node import STEADY, Refused, error_code, error_text, on_executor, run
from hwm_ros.parameters import declare_parameters, read_parameters
from hwm_ros.qos import JOINTS_IN, JOINTS_OUT, LATCHED, RELIABLE, publish, subscribe
from hwm_ros.remote_scorer import RemoteScorer
from hwm_ros.srv import SetGoal

_WATCH_S = 0.1


class MpcPlannerParameters(Config):
    """Parameters of the node."""

    world_model: str = Field(default="world_model", description="name of the world_model node to query")
    publish_commands: bool = Field(default=False, description="move the robot; otherwise plans are only told")
    lockstep: bool = Field(default=False, description="hold back a frame's command until the plan due at it is made, for sim_robot in lockstep")
    replan_frames: int = Field(default=5, ge=1, le=1000, description="frames after which a plan is replaced")
    max_velocity: float = Field(default=3.0, gt=0.0, description="speed limit of every joint in rad/s (or m/s)")
    planner: PlannerConfig = PlannerConfig()
    seed: int = Field(default=0, ge=0, le=2**31 - 1, description="of the search")
    score_timeout_s: float = Field(default=20.0, gt=0.0, description="wall time to wait for the scores of one request")
    frame_timeout_s: float = Field(default=10.0, gt=0.0, description="wall time without a new frame after which a goal is aborted")


class _Run:
    """One goal on its way. Lives in the executor's thread; the planner in the worker's."""

    def __init__(self, handle: ServerGoalHandle, planner: RecedingHorizonPlanner, follower: PlanFollower, done: Future) -> None:
        self.handle, self.planner, self.follower, self.done = handle, planner, follower, done
        self.num_frames, self.cost_threshold = handle.request.num_frames, handle.request.cost_threshold
        self.seen_ns = 0  # stamp of the newest frame handled
        self.seen_at = time.monotonic()
        self.planning = False
        self.frames_done = 0
        self.best_cost = float("inf")
        self.plan_seconds: list[float] = []
        self.plan = ActionSequence()

    def finish(self, code: int = ErrorCode.NONE, reason: str = "") -> None:
        if not self.done.done():
            self.done.set_result((code, reason))

    def feedback(self) -> PlanActions.Feedback:
        return PlanActions.Feedback(
            stamp=convert.time_of(self.seen_ns),
            frames_done=self.frames_done,
            plans_made=len(self.plan_seconds),
            best_cost=self.best_cost,
            plan_ms=1e3 * self.plan_seconds[-1] if self.plan_seconds else 0.0,
        )

    def result(self, code: int, reason: str) -> PlanActions.Result:
        times = percentiles_ms(np.array(self.plan_seconds or [0.0]))
        return PlanActions.Result(
            error_code=code,
            error_msg=reason,
            frames_done=self.frames_done,
            plans_made=len(self.plan_seconds),
            best_cost=self.best_cost,
            plan_ms_p50=times["p50"],
            plan_ms_p95=times["p95"],
            plan=self.plan,
        )


class MpcPlannerNode(Node):
    """Every frame that the world model reports gets one command; every few frames the plan is made anew."""

    def __init__(self) -> None:
        super().__init__("mpc_planner")
        declare_parameters(self, MpcPlannerParameters)
        self._settings = settings = read_parameters(self, MpcPlannerParameters)
        self._worker = Worker("mpc_planner")
        self._busy = False  # a goal was accepted and has no result yet
        self._ready: Future | None = None  # awaited by a goal until nothing is missing
        self._waiting_since = 0.0
        self._run: _Run | None = None
        self._info: ModelInfo | None = None
        self._joints: JointState | None = None
        self._newest: ContextStatus | None = None
        self._last_command: NDArray[np.float32] | None = None  # [A] published by this node

        self._scorer = RemoteScorer(self, settings.world_model, settings.score_timeout_s)
        self._set_goal = self.create_client(SetGoal, f"{settings.world_model}/set_goal")
        self._commands = publish(self, JointState, "joint_commands", JOINTS_OUT)
        self._plans = publish(self, ActionSequence, "~/plan", RELIABLE)
        subscribe(self, ModelInfo, f"{settings.world_model}/model_info", self._on_info, LATCHED)
        subscribe(self, JointState, "joint_states", self._on_joints, JOINTS_IN)
        # It awaits plans, which need other callbacks; in the default group it would hold them back.
        subscribe(self, ContextStatus, f"{settings.world_model}/context_status", self._on_status, RELIABLE, ReentrantCallbackGroup())
        self._server = ActionServer(
            self,
            PlanActions,
            "~/plan_actions",
            execute_callback=self._execute,
            goal_callback=self._may_begin,
            cancel_callback=lambda _: CancelResponse.ACCEPT,
        )
        self.create_timer(_WATCH_S, self._watch, clock=STEADY)

    def destroy_node(self) -> None:
        if self._run is not None:
            self._run.finish(ErrorCode.CANCELED, "The planner was shut down.")
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
        try:
            self._ready, self._waiting_since = Future(executor=self.executor), time.monotonic()
            await self._ready
            await self._send_goal(handle.request.goal)
            self._run = goal = self._begin(handle)
            if self._newest is not None:  # in lockstep the frame that waits for a command is an old one
                await self._on_status(self._newest)
            code, reason = await goal.done
            result = goal.result(code, reason)
        except Exception as error:
            result = PlanActions.Result(error_code=error_code(error), error_msg=error_text(error))
        finally:
            self._run, self._busy = None, False
        self._conclude(handle, result)
        return result

    def _begin(self, handle: ServerGoalHandle) -> _Run:
        info, settings = self._info, self._settings
        assert info is not None
        assert self._joints is not None
        if settings.planner.horizon_frames > info.future_frames:
            raise Refused(ErrorCode.BAD_REQUEST, f"`planner.horizon_frames` is {settings.planner.horizon_frames}; the model predicts {info.future_frames}.")
        space = _space(info, settings.max_velocity)
        columns = match_names(space.names, self._joints.name, whose="the joint states")
        measured = np.asarray(self._joints.position, np.float32)[columns]
        start = command_in_force(measured, self._last_command, space)
        planner = RecedingHorizonPlanner(settings.planner, space, settings.seed)
        return _Run(handle, planner, PlanFollower(space, settings.replan_frames, start), Future(executor=self.executor))

    async def _send_goal(self, goal: Image) -> None:
        if len(goal.data) == 0:
            return
        answer = await self._set_goal.call_async(SetGoal.Request(goal=goal))
        if answer.error_code != ErrorCode.NONE:
            raise Refused(answer.error_code, answer.error_msg)

    def _conclude(self, handle: ServerGoalHandle, result: PlanActions.Result) -> None:
        if result.error_code == ErrorCode.NONE:
            handle.succeed()
        elif result.error_code == ErrorCode.CANCELED and handle.is_cancel_requested:
            handle.canceled()
        else:
            self.get_logger().error(f"Goal aborted: {result.error_msg}")
            handle.abort()

    def _missing(self) -> str:
        """What a goal cannot begin without; nodes that have just started find each other within a second or so."""
        model = self._settings.world_model
        if self._info is None or self._newest is None or not self._set_goal.service_is_ready():
            return f"an active node `{model}` that sees camera images"
        return "" if self._joints is not None else "a joint state: a plan starts from where the robot is"

    def _watch(self) -> None:
        if self._ready is not None:
            missing = self._missing()
            if not missing:
                self._ready.set_result(None)
            elif time.monotonic() - self._waiting_since > self._settings.frame_timeout_s:
                self._ready.set_exception(Refused(ErrorCode.NO_CONTEXT, f"Waited in vain for {missing}."))
            else:
                return
            self._ready = None
        goal = self._run
        if goal is None:
            return
        if goal.handle.is_cancel_requested:
            goal.finish(ErrorCode.CANCELED, "Canceled by the client.")
        elif not goal.planning and time.monotonic() - goal.seen_at > self._settings.frame_timeout_s:
            hint = "" if self._settings.publish_commands else " In lockstep the robot waits for commands: set publish_commands."
            goal.finish(ErrorCode.TIMEOUT, f"No new frame for {self._settings.frame_timeout_s:g} s.{hint}")

    # ---------------------------------------------------------------- frame by frame

    def _on_info(self, message: ModelInfo) -> None:
        self._info = message

    def _on_joints(self, message: JointState) -> None:
        self._joints = message

    async def _on_status(self, status: ContextStatus) -> None:
        self._newest = status
        goal, stamp_ns = self._run, convert.stamp_ns(status.header.stamp)
        if goal is None or goal.done.done() or stamp_ns <= goal.seen_ns:
            return
        goal.seen_ns, goal.seen_at = stamp_ns, time.monotonic()
        try:
            await self._tick(goal, status, stamp_ns)
        except Exception as error:
            goal.finish(error_code(error), error_text(error))

    async def _tick(self, goal: _Run, status: ContextStatus, stamp_ns: int) -> None:
        if not status.ready:
            if status.error_code != ErrorCode.NO_CONTEXT:
                raise Refused(status.error_code, status.error_msg)
            self._command(goal, stamp_ns)  # hold still until the context is full; where actions are commands, this fills it
            return
        if goal.follower.due(stamp_ns) and not goal.planning:
            if self._settings.lockstep:
                await self._plan(goal, stamp_ns)
            else:
                self.executor.create_task(self._plan, goal, stamp_ns)
        if goal.done.done():
            return
        self._command(goal, stamp_ns)
        goal.frames_done += 1
        goal.handle.publish_feedback(goal.feedback())
        if goal.frames_done >= goal.num_frames or goal.best_cost < goal.cost_threshold:
            goal.finish()

    async def _plan(self, goal: _Run, stamp_ns: int) -> None:
        assert self._info is not None
        began, goal.planning = time.perf_counter(), True
        names, follower = list(self._info.joint_names), goal.follower
        search = partial(
            goal.planner.plan,
            partial(self._scorer.score, joint_names=names, stamp_ns=stamp_ns),
            torch.as_tensor(follower.newest),
            follower.elapsed_frames(stamp_ns),
            lambda _: not (goal.done.done() or goal.handle.is_cancel_requested),
        )
        try:
            plan = await on_executor(self, self._worker.submit(search))
        except Exception as error:
            goal.finish(error_code(error), error_text(error))
            return
        finally:
            goal.planning, goal.seen_at = False, time.monotonic()
        actions = plan.actions.numpy()
        follower.adopt(stamp_ns, actions)
        goal.best_cost, goal.plan = plan.cost, convert.sequence_message(actions, names, convert.header(stamp_ns))
        goal.plan_seconds.append(time.perf_counter() - began)
        self._plans.publish(goal.plan)

    def _command(self, goal: _Run, stamp_ns: int) -> None:
        action: NDArray[np.float32] = goal.follower.command(stamp_ns)
        if self._settings.publish_commands and self._info is not None:
            self._last_command = action
            self._commands.publish(convert.joint_message(self._info.joint_names, action, convert.header(stamp_ns)))


def _space(info: ModelInfo, max_velocity: float) -> JointSpace:
    lower = torch.tensor(info.lower)
    return JointSpace(
        names=tuple(info.joint_names),
        lower=lower,
        upper=torch.tensor(info.upper),
        max_step=torch.full_like(lower, max_velocity / info.frame_rate_hz),
        scale=torch.tensor(info.scale),
        frame_rate_hz=info.frame_rate_hz,
    )


def main() -> None:
    """Entry of the executable `mpc_planner`."""
    torch.set_num_threads(1)  # the search is small, and the cores are the model's
    run(MpcPlannerNode)
