"""The `mpc_planner` node: follows plans towards a goal image, which it asks a world_model node for again and again."""

import time

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
from hwm_core.planning.follower import PlanFollower, initial_command
from hwm_core.planning.joint_space import JointSpace
from hwm_ros import convert
from hwm_ros.action import PlanActions
from hwm_ros.error_codes import Rejected, error_code, error_text
from hwm_ros.msg import ActionSequence, ContextStatus, ErrorCode, ModelInfo
from hwm_ros.node import STEADY, run, start_task
from hwm_ros.parameters import declare_parameters, read_parameters
from hwm_ros.plan_goal import PlanGoal
from hwm_ros.planner_inputs import PlannerInputs
from hwm_ros.qos import JOINTS_IN, JOINTS_OUT, LATCHED, RELIABLE, create_publisher, create_subscription
from hwm_ros.srv import MakePlan, SetGoal
from hwm_ros.timed_client import TimedClient

_CHECK_S = 0.1  # period of the checks for cancellation and time limits


class MpcPlannerParameters(Config):
    """Parameters of the node."""

    world_model: str = Field(default="world_model", description="name of the world_model node that makes the plans")
    publish_commands: bool = Field(default=False, description="true: move the robot; false: only publish plans")
    lockstep: bool = Field(default=False, description="delay a frame's command until the plan due at it is ready")
    replan_s: float = Field(default=0.4, gt=0.0, description="time of a plan after which the next one is made")
    deadline_s: float = Field(
        default=0.0, ge=0.0, description="time for a search, which then returns the best plan so far; 0: no deadline"
    )
    seed: int = Field(default=0, ge=0, le=2**31 - 1, description="seed of the searches' random numbers")
    answer_timeout_s: float = Field(
        default=20.0, gt=0.0, description="longest wall time to wait for an answer of the world model"
    )
    frame_timeout_s: float = Field(
        default=10.0, gt=0.0, description="longest wall time without a new frame; then the goal is aborted"
    )


class MpcPlannerNode(Node):
    """Publishes one command for every camera frame that the world model reports, and asks for a new plan in time.

    An accepted goal passes three stages: wait until no input is missing, send the goal image, run frame by frame.
    """

    def __init__(self) -> None:
        super().__init__("mpc_planner")
        declare_parameters(self, MpcPlannerParameters)
        self._settings = settings = read_parameters(self, MpcPlannerParameters)
        self._inputs = PlannerInputs()
        self._busy = False  # a goal was accepted and has no result yet
        self._handle: ServerGoalHandle | None = None  # of the accepted goal
        self._inputs_ready: Future | None = None  # awaited in the first stage
        self._waiting_since = 0.0
        self._goal: PlanGoal | None = None  # exists in the third stage
        self._robot_names: list[str] = []  # [A] the robot's names of the model's joints
        self._last_command: NDArray[np.float64] | None = None  # [A] the newest published command

        name, limit = settings.world_model, settings.answer_timeout_s
        self._set_goal = TimedClient(self, SetGoal, f"{name}/set_goal", limit)
        self._make_plan = TimedClient(self, MakePlan, f"{name}/plan", limit)
        self._commands = create_publisher(self, JointState, "joint_commands", JOINTS_OUT)
        self._plans = create_publisher(self, ActionSequence, "~/plan", RELIABLE)
        # A callback that awaits blocks its callback group. The default group must stay free for what it awaits.
        awaiting = ReentrantCallbackGroup()
        create_subscription(self, ModelInfo, f"{name}/model_info", self._on_info, LATCHED)
        create_subscription(self, JointState, "joint_states", self._inputs.joints.add, JOINTS_IN)
        create_subscription(self, ContextStatus, f"{name}/context_status", self._on_status, RELIABLE, awaiting)
        self._server = ActionServer(
            self,
            PlanActions,
            "~/plan_actions",
            execute_callback=self._execute,
            goal_callback=self._accept,
            cancel_callback=lambda _: CancelResponse.ACCEPT,
            callback_group=awaiting,
        )
        self.create_timer(_CHECK_S, self._check, clock=STEADY)

    def destroy_node(self) -> None:
        if self._goal is not None:
            self._goal.finish(ErrorCode.CANCELED, "The planner was shut down.")
        super().destroy_node()

    # ---------------------------------------------------------------- the action

    def _accept(self, _: PlanActions.Goal) -> GoalResponse:
        if self._busy:
            self.get_logger().warning("Goal rejected: another goal is running. Cancel it first.")
            return GoalResponse.REJECT
        self._busy = True
        return GoalResponse.ACCEPT

    async def _execute(self, handle: ServerGoalHandle) -> PlanActions.Result:
        self._handle = handle
        if not self._settings.lockstep:  # in lockstep, the frame that waits for a command was reported before the goal
            self._inputs.status = None
        try:
            self._inputs_ready, self._waiting_since = Future(executor=self.executor), time.monotonic()
            await self._inputs_ready
            await self._send_image(handle.request.goal)
            self._goal = goal = self._start(handle)
            if self._inputs.status is not None:
                await self._on_status(self._inputs.status)
            result = goal.result(*await goal.done)
        except Exception as error:
            result = PlanActions.Result(error_code=error_code(error), error_msg=error_text(error))
        finally:
            self._inputs_ready = self._goal = self._handle = None
            self._busy = False
        self._set_final_state(handle, result)
        return result

    async def _send_image(self, image: Image) -> None:
        """Set the goal image at the world model; an image without data keeps the one that is set."""
        if len(image.data) > 0:
            await self._set_goal.call(SetGoal.Request(goal=image))

    def _start(self, handle: ServerGoalHandle) -> PlanGoal:
        """A goal that starts from the robot's position and the last command."""
        info, settings = self._inputs.info, self._settings
        assert info is not None
        limits = (info.joint_names, info.lower, info.upper, info.scale, info.frame_rate_hz)
        space = JointSpace.from_limits(*limits, info.max_velocity, max_acceleration=info.max_acceleration)
        measured = self._inputs.joints.measured(info)
        self._robot_names = measured.names
        start = initial_command(measured.positions, self._last_command, space)
        replan_frames = min(max(1, round(settings.replan_s * info.frame_rate_hz)), info.future_frames)
        return PlanGoal(handle, PlanFollower(space, replan_frames, start), Future(executor=self.executor))

    def _set_final_state(self, handle: ServerGoalHandle, result: PlanActions.Result) -> None:
        if result.error_code == ErrorCode.NONE:
            handle.succeed()
        elif result.error_code == ErrorCode.CANCELED and handle.is_cancel_requested:
            handle.canceled()
        else:
            self.get_logger().error(f"Goal aborted: {result.error_msg}")
            handle.abort()

    def _check(self) -> None:
        """Check for what no message reports: cancellation, time limits, and inputs that are complete now."""
        waited_s, settings = time.monotonic() - self._waiting_since, self._settings
        self._set_goal.check()
        self._make_plan.check()
        if self._handle is not None and self._handle.is_cancel_requested:
            self._end(ErrorCode.CANCELED, "Canceled by the client.")
        elif self._inputs_ready is not None:
            # Nodes that have just started need about a second to discover each other.
            services_are_ready = self._set_goal.is_ready and self._make_plan.is_ready
            missing = self._inputs.missing(settings.world_model, services_are_ready)
            if not missing:
                self._inputs_ready.set_result(None)
                self._inputs_ready = None
            elif waited_s > settings.frame_timeout_s:
                self._end(ErrorCode.NO_CONTEXT, f"Missing after {settings.frame_timeout_s:g} s: {missing}.")
        elif self._goal is not None and self._goal.idle_s() > settings.frame_timeout_s:
            hint = "" if settings.publish_commands else " A robot in lockstep needs publish_commands:=true."
            self._end(ErrorCode.TIMEOUT, f"No new frame for {settings.frame_timeout_s:g} s.{hint}")

    def _end(self, code: int, reason: str) -> None:
        """End the goal in any stage."""
        if self._goal is not None:
            self._goal.finish(code, reason)
        if self._inputs_ready is not None and not self._inputs_ready.done():
            self._inputs_ready.set_exception(Rejected(code, reason))
        self._inputs_ready = None
        self._set_goal.cancel(code, reason)
        self._make_plan.cancel(code, reason)

    # ---------------------------------------------------------------- frame by frame

    def _on_info(self, message: ModelInfo) -> None:
        self._inputs.info = message

    async def _on_status(self, status: ContextStatus) -> None:
        self._inputs.status = status
        goal, stamp_ns = self._goal, convert.stamp_ns(status.image_stamp)
        if goal is None or goal.over or not goal.is_new(stamp_ns):
            return
        try:
            await self._act(goal, status, stamp_ns)
        except Exception as error:
            goal.finish(error_code(error), error_text(error))

    async def _act(self, goal: PlanGoal, status: ContextStatus, stamp_ns: int) -> None:
        """Ask for a plan when one is due, and publish the command of the camera frame at `stamp_ns`."""
        follower = goal.follower
        follower.set_camera_period(status.image_period_s)
        if not status.ready:
            if status.error_code != ErrorCode.NO_CONTEXT:
                raise Rejected(status.error_code, status.error_msg)
            # Hold still while the context fills. For a model of commands, these commands are what fills it.
            self._command(follower.hold(stamp_ns), stamp_ns)
            return
        if goal.begin_plan(convert.stamp_ns(status.header.stamp)):
            if self._settings.lockstep:
                await self._plan(goal)
            else:
                start_task(self, self._plan, goal)
        if not goal.over:
            self._command(follower.command(stamp_ns), stamp_ns)
            goal.frame_done()

    async def _plan(self, goal: PlanGoal) -> None:
        """Let the world model search from its newest frame, then follow and publish the plan."""
        info, settings = self._inputs.info, self._settings
        assert info is not None
        started = time.perf_counter()
        request = MakePlan.Request(
            joints=goal.handle.request.joints,
            followed=goal.followed(),
            deadline_s=settings.deadline_s,
            seed=settings.seed,
        )
        try:
            made: MakePlan.Response = await self._make_plan.call(request)
        except Exception as error:
            goal.finish(error_code(error), error_text(error))
            return
        finally:
            goal.planning = False
        if goal.over:
            return
        goal.add_plan(made, time.perf_counter() - started, info.frame_rate_hz)
        self._plans.publish(made.plan)

    def _command(self, action: NDArray[np.float64], stamp_ns: int) -> None:
        if self._settings.publish_commands:
            self._last_command = action
            self._commands.publish(convert.joint_message(self._robot_names, action, convert.header(stamp_ns)))


def main() -> None:
    """Entry point of the executable `mpc_planner`."""
    torch.set_num_threads(1)  # the follower is small; the other cores are for the world model
    run(MpcPlannerNode)
