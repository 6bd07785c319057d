"""The `mpc_planner` node: follows plans towards a goal image, which it asks a world_model node for again and again."""

import time

import torch
from rclpy.action.server import ActionServer, CancelResponse, GoalResponse, ServerGoalHandle
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.node import Node
from rclpy.task import Future
from sensor_msgs.msg import Image, JointState

from hwm_core.errors import BadInput
from hwm_core.live.goal_progress import GoalProgress
from hwm_core.live.watchdogs import Fault, Watchdogs
from hwm_ros import convert
from hwm_ros.action import PlanActions
from hwm_ros.command_output import CommandOutput
from hwm_ros.distributions import numbered
from hwm_ros.error_codes import Rejected, error_code, error_name, error_text
from hwm_ros.model_info import if_consistent
from hwm_ros.msg import ActionSequence, ContextStatus, ErrorCode, ModelInfo
from hwm_ros.node import STEADY, run, start_task
from hwm_ros.parameters import declare_parameters, read_parameters, watch_parameters
from hwm_ros.plan_goal import PlanGoal, check_goal
from hwm_ros.plan_request import plan_request, read_plan
from hwm_ros.planner_health import PlannerHealth
from hwm_ros.planner_inputs import PlannerInputs
from hwm_ros.planner_parameters import MpcPlannerParameters
from hwm_ros.qos import JOINTS_IN, LATCHED, RELIABLE, create_publisher, create_subscription
from hwm_ros.srv import CancelRequests, MakePlan, SetGoal
from hwm_ros.timed_client import TimedClient

_CHECK_S = 0.05  # period of the watchdogs
_SEND_S = 0.3  # time that the middleware gets to send a result before the process ends


class MpcPlannerNode(Node):
    """Publishes one command for every camera frame that the world model reports, and asks for a new plan in time.

    An accepted goal passes three stages: wait until no input is missing, send the goal image, run frame by frame.
    """

    def __init__(self) -> None:
        super().__init__("mpc_planner")
        declare_parameters(self, MpcPlannerParameters)
        self._settings = settings = read_parameters(self, MpcPlannerParameters)
        self._inputs, self._sender = PlannerInputs(settings), self.get_fully_qualified_name()
        self._busy = self._client_was_seen = False  # a goal was accepted and has no result yet; its client was seen
        self._handle: ServerGoalHandle | None = None  # of the accepted goal
        self._inputs_ready: Future | None = None  # awaited in the first stage
        self._goal: PlanGoal | None = None  # exists in the third stage
        self._idle_since: float | None = None  # when the last goal ended, while the node shuts down
        name = settings.world_model
        self._set_goal = TimedClient(self, SetGoal, f"{name}/set_goal")
        self._make_plan = TimedClient(self, MakePlan, f"{name}/plan")
        self._cancel = self.create_client(CancelRequests, f"{name}/cancel_requests")
        self._output = CommandOutput(self, settings, settings.lockstep, settings.publish_commands, settings)
        self._watchdogs = Watchdogs(settings, settings.lockstep, time.monotonic)
        self._plans = create_publisher(self, ActionSequence, "~/plan", RELIABLE)
        self._health = PlannerHealth(self, self._watchdogs, self._output)
        watch_parameters(self, MpcPlannerParameters, self._locked, self._apply)
        # A callback that awaits blocks its callback group. The default group must stay free for what it awaits.
        awaiting = ReentrantCallbackGroup()
        create_subscription(self, ModelInfo, f"{name}/model_info", if_consistent(self, self._on_info), LATCHED)
        create_subscription(self, JointState, "joint_states", numbered(self._on_joints), JOINTS_IN)
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
        self._feedback_topic = f"{self.resolve_topic_name('~/plan_actions')}/_action/feedback"
        self.create_timer(_CHECK_S, self._check, clock=STEADY)

    def finished(self) -> bool:
        """End the goal and stop the robot; called again and again before the node is destroyed, until it is True."""
        if self._handle is not None and self._idle_since is None:
            self._end(ErrorCode.CANCELED, "The planner was shut down.")
        self._output.stop()
        if self._busy or not self._output.at_rest:
            self._idle_since = time.monotonic()  # a goal that ends now still has to send its result
        return self._idle_since is None or time.monotonic() - self._idle_since > _SEND_S

    # ---------------------------------------------------------------- parameters

    def _locked(self) -> str:
        return "rejected while a goal runs. Cancel the goal first." if self._busy else ""

    def _apply(self, settings: MpcPlannerParameters) -> None:
        self._settings = self._inputs.settings = self._watchdogs.settings = settings
        self._output.set_publish(settings.publish_commands)

    # ---------------------------------------------------------------- the action

    def _accept(self, _: PlanActions.Goal) -> GoalResponse:
        if self._busy or self._idle_since is not None:
            self.get_logger().warning("Goal rejected: another goal is running. Cancel it first.")
            return GoalResponse.REJECT
        self._busy = True
        return GoalResponse.ACCEPT

    async def _execute(self, handle: ServerGoalHandle) -> PlanActions.Result:
        self._handle, self._client_was_seen = handle, False
        self._watchdogs.begin()
        self._health.begun()
        if not self._settings.lockstep:  # in lockstep, the frame that waits for a command was reported before the goal
            self._inputs.status = None
        try:
            check_goal(handle.request)
            self._inputs_ready = Future(executor=self.executor)
            await self._inputs_ready
            self._inputs.require_comparison(handle.request)
            self._goal = goal = self._start(handle, await self._send_image(handle.request.goal))
            if self._inputs.status is not None:
                await self._on_status(self._inputs.status)
            result = goal.result(await goal.done)
        except Exception as error:
            result = PlanActions.Result(error_code=error_code(error), error_msg=error_text(error))
        finally:
            self._output.stop()
            self._drop_search(ErrorCode.CANCELED, "The goal has ended.")
            self._inputs_ready = self._goal = self._handle = None
            self._busy = False
        self._set_final_state(handle, result)
        return result

    async def _send_image(self, image: Image) -> int:
        """Set the goal image at the world model; without data, the one that is set is meant. Returns its version."""
        if len(image.data) > 0:
            response: SetGoal.Response = await self._set_goal.call(SetGoal.Request(goal=image))
            return response.goal_version
        return 0 if self._inputs.status is None else self._inputs.status.goal_version

    def _start(self, handle: ServerGoalHandle, version: int) -> PlanGoal:
        """A goal whose first command is where the robot is, or goes on from a last command that it still follows."""
        info, settings, request = self._inputs.info, self._settings, handle.request
        assert info is not None
        rate_hz, horizon = info.frame_rate_hz, info.future_frames
        settings.require_shorter(horizon / rate_hz)
        if request.cost_threshold > 0:
            settings.require_observable(info.past_frames)
        self._inputs.joints.measured(info)  # raises for another robot
        self._output.use(info, settings)
        self._output.begin(min(max(1, round(settings.replan_s * rate_hz)), horizon))
        self._watchdogs.run()
        limits = (request.num_frames, request.cost_threshold, rate_hz, horizon, settings.latency_s)
        goal = PlanGoal(handle, GoalProgress(*limits, time.monotonic), Future(executor=self.executor), version)
        self._health.begun(goal)
        return goal

    def _set_final_state(self, handle: ServerGoalHandle, result: PlanActions.Result) -> None:
        fault = ""
        if result.error_code == ErrorCode.NONE:
            handle.succeed()
        elif result.error_code == ErrorCode.CANCELED and handle.is_cancel_requested:
            handle.canceled()
        else:
            fault = f"{error_name(result.error_code)}: {result.error_msg}"
            self.get_logger().error(f"Goal aborted: {fault}")
            handle.abort()
        self._health.ended(fault)

    def _check(self) -> None:
        """Check for what no message reports: cancellation, watchdogs, and inputs that are complete now."""
        settings, watchdogs, goal = self._settings, self._watchdogs, self._goal
        for client in (self._set_goal, self._make_plan):
            client.check(settings.answer_timeout_s)
        if self._handle is None:
            return
        has_client = self.count_subscribers(self._feedback_topic) > 0
        self._client_was_seen |= has_client
        if has_client or not self._client_was_seen:
            watchdogs.client()
        fault = watchdogs.fault(goal.progress.planning) if goal is not None else watchdogs.time_fault()
        if goal is None and self._inputs_ready is None:  # the goal image is being sent
            fault = fault or watchdogs.model_fault()
        elif goal is not None and self._output.stream is not None and (reason := self._output.stream.fault):
            fault = fault or Fault("NOT_FOLLOWED", reason)
        if self._handle.is_cancel_requested:
            self._end(ErrorCode.CANCELED, "Canceled by the client.")
        elif fault is not None:
            self._end(getattr(ErrorCode, fault.kind), fault.reason)
        elif self._inputs_ready is not None:
            # Nodes that have just started need about a second to discover each other.
            services_are_ready = self._set_goal.is_ready and self._make_plan.is_ready
            missing = self._inputs.missing(services_are_ready) or self._output.unfinished(self._inputs.info, settings)
            if not missing:
                self._inputs_ready.set_result(None)
                self._inputs_ready = None
            elif watchdogs.elapsed_s > settings.frame_timeout_s:
                self._end(ErrorCode.NO_CONTEXT, f"Missing after {settings.frame_timeout_s:g} s: {missing}.")

    def _end(self, code: int, reason: str) -> None:
        """End the goal in any stage."""
        if self._goal is not None:
            self._goal.progress.end(error_name(code), reason)
            self._goal.announce_end()
        ready, self._inputs_ready = self._inputs_ready, None
        if ready is not None and not ready.done():
            ready.set_exception(Rejected(code, reason))
        self._output.stop()
        self._set_goal.cancel(code, reason)
        self._drop_search(code, reason)

    def _drop_search(self, code: int, reason: str) -> None:
        """No plan is needed any more: a running search ends, which frees the model too."""
        if self._make_plan.cancel(code, reason) and self._cancel.service_is_ready():
            self._cancel.call_async(CancelRequests.Request(sender=self._sender))

    # ---------------------------------------------------------------- inputs

    def _on_info(self, message: ModelInfo) -> None:
        if self._handle is not None and self._inputs_ready is None:
            self._end(ErrorCode.WORLD_MODEL_GONE, "The world model has started again, without a goal. Send it again.")
        self._inputs.info = message
        self._output.look_at(message)

    def _on_joints(self, message: JointState, number: int | None) -> None:
        self._inputs.joints.add(message, number)
        if self._inputs.info is None:
            return
        try:
            measured = self._inputs.joints.measured(self._inputs.info)
        except BadInput as error:
            self._watchdogs.rejected = str(error)
            return
        if self._watchdogs.arrived("joints", measured.stamp_ns, measured.arrived_s):
            self._output.measured(measured.stamp_ns, measured.names, measured.positions)

    async def _on_status(self, status: ContextStatus) -> None:
        self._inputs.status = status
        goal, stamp_ns = self._goal, convert.stamp_ns(status.image_stamp)
        self._watchdogs.status(status.ready)
        if stamp_ns == 0:  # the context has no image: it has just been reset, or no camera ever came
            return
        if self._watchdogs.arrived("camera", stamp_ns):
            self._output.seen(stamp_ns)
        if goal is None or goal.over:
            return
        try:
            if goal.progress.is_new(stamp_ns):
                await self._act(goal, status, stamp_ns)
            elif not goal.over:
                self._output.repeat(stamp_ns)
        except Exception as error:
            self._end(error_code(error), error_text(error))
        goal.announce_end()

    # ---------------------------------------------------------------- frame by frame

    async def _act(self, goal: PlanGoal, status: ContextStatus, stamp_ns: int) -> None:
        """Ask for a plan when one is due, and publish the command of the camera frame at `stamp_ns`."""
        stream = self._output.stream
        assert stream is not None and self._inputs.info is not None
        stream.set_camera_period(status.image_period_s)
        model_stamp_ns = convert.stamp_ns(status.header.stamp)
        if not status.ready:
            if status.error_code != ErrorCode.NO_CONTEXT:
                raise Rejected(status.error_code, status.error_msg)
            # Single frames may lack a joint state. Without a complete context, hold still while it fills. For a model
            # of commands, these commands are what fills it.
            is_short = status.frames_held < status.frames_needed
            if is_short or self._watchdogs.age_s("ready") > self._settings.camera_timeout_s:
                stream.drop_plan(stamp_ns)
        elif goal.is_new_model_frame(model_stamp_ns) and not goal.progress.planning and stream.due(model_stamp_ns):
            request = plan_request(self._sender, goal, self._inputs.info, self._settings, stream, model_stamp_ns)
            if self._settings.lockstep:
                await self._plan(goal, request)
            else:
                start_task(self, self._plan, goal, request)
        if goal.over:
            return
        if not self._output.frame(stamp_ns):
            if self._settings.lockstep:
                goal.progress.expect_again()  # the robot repeats the frame that it waits with
        elif status.ready:
            goal.frame_done()

    async def _plan(self, goal: PlanGoal, request: MakePlan.Request) -> None:
        """Let the world model search, then follow and publish the plan."""
        try:
            made: MakePlan.Response = await self._make_plan.call(request)
        except Exception as error:
            if not goal.progress.may_ask_again(error_name(error_code(error))) and self._goal is goal:
                self._end(error_code(error), error_text(error))
            return
        stream, info = self._output.stream, self._inputs.info
        if goal.over or stream is None or info is None:
            return
        try:
            if goal.add_plan(made):
                stream.adopt(convert.stamp_ns(made.plan.header.stamp), read_plan(made.plan, info))
                self._plans.publish(made.plan)
        except BadInput as error:
            self._end(error_code(error), error_text(error))
        goal.announce_end()


def main() -> None:
    """Entry point of the executable `mpc_planner`."""
    torch.set_num_threads(1)  # the follower is small; the other cores are for the world model
    run(MpcPlannerNode, MpcPlannerNode.finished)
