"""The world model as a lifecycle node: camera and joints in; predictions, scores and health out."""

import traceback
from collections import Counter
from collections.abc import Callable
from functools import wraps
from typing import Any, Literal

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from pydantic import Field
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from sensor_msgs.msg import CompressedImage, Image, JointState

from hwm_core.context import NoContext
from hwm_core.errors import BadInput
from hwm_core.pictures.prediction_strip import prediction_strip
from hwm_core.worker import Stopped, Superseded
from hwm_ros import convert
from hwm_ros.model_server import ModelParameters, ModelServer, Shown
from hwm_ros.msg import ActionCandidates, ActionScores, ContextStatus, ErrorCode, ModelInfo, PredictedFrames
from hwm_ros.node import STEADY, NotActive, error_code, error_text, health, memory_mb, run
from hwm_ros.parameters import declare_parameters, read_parameters, watch_parameters
from hwm_ros.qos import JOINTS_IN, LATCHED, RELIABLE, SENSOR, publish, subscribe
from hwm_ros.srv import GetModelInfo, PredictRollout, ResetContext, ScoreActions, SetGoal

_SHOWN_AS = {PredictedFrames.HOLD: "newest action held", PredictedFrames.PLAN: "the planner's newest best"}
_DIAGNOSTICS_S = 1.0


class WorldModelParameters(ModelParameters):
    """Parameters of the node."""

    autostart: bool = Field(default=True, description="configure and activate at start, without a lifecycle manager")
    image_transport: Literal["raw", "compressed"] = Field(default="raw", description="sensor_msgs/Image, or CompressedImage on <topic>/compressed")
    zero_stamps: Literal["refuse", "receive_time"] = Field(default="refuse", description="what becomes of messages without a stamp")
    prediction_rate_hz: float = Field(default=2.0, ge=0.0, le=60.0, description="pictures of the prediction per second, while someone subscribes; 0: none")


def _reported(transition: Callable[["WorldModelNode"], None]) -> Callable[["WorldModelNode", LifecycleState], TransitionCallbackReturn]:
    """A transition that leaves its reason when it fails: bad input keeps the state, anything else is an error."""

    @wraps(transition)
    def guarded(self: "WorldModelNode", _: LifecycleState) -> TransitionCallbackReturn:
        try:
            transition(self)
        except BadInput as error:
            self.fail(error)
            return TransitionCallbackReturn.FAILURE
        except Exception as error:
            self.fail(error)
            return TransitionCallbackReturn.ERROR
        return TransitionCallbackReturn.SUCCESS

    return guarded


class WorldModelNode(LifecycleNode):
    """Callbacks only store what comes; one worker thread owns the model and answers."""

    def __init__(self) -> None:
        super().__init__("world_model")
        declare_parameters(self, WorldModelParameters)
        watch_parameters(self, WorldModelParameters, lambda: self._server is not None, self._apply)
        self._server: ModelServer | None = None
        self._entities: list[Any] = []  # subscriptions and the timer of the active state
        self._fault = ""  # why the last transition or answer failed
        self._received: Counter[str] = Counter()  # messages since the last diagnostics
        self._camera_frame = ""
        # A callback that awaits the worker keeps its group busy; in the default group it would hold the images back.
        self._awaiting = ReentrantCallbackGroup()

        self._info = publish(self, ModelInfo, "~/model_info", LATCHED)
        self._status = publish(self, ContextStatus, "~/context_status", RELIABLE)
        self._scores = publish(self, ActionScores, "~/scores", RELIABLE)
        self._frames = publish(self, PredictedFrames, "~/predicted_frames", RELIABLE)
        self._picture = publish(self, Image, "~/prediction_image", RELIABLE)
        self._diagnostics = publish(self, DiagnosticArray, "/diagnostics", RELIABLE)
        self.create_service(ScoreActions, "~/score_actions", self._on_score_actions, callback_group=self._awaiting)
        self.create_service(PredictRollout, "~/predict_rollout", self._on_predict_rollout, callback_group=self._awaiting)
        self.create_service(SetGoal, "~/set_goal", self._on_set_goal, callback_group=self._awaiting)
        self.create_service(ResetContext, "~/reset_context", self._on_reset_context)
        self.create_service(GetModelInfo, "~/get_model_info", self._on_get_model_info)
        self.create_timer(_DIAGNOSTICS_S, self._report, clock=STEADY)
        if self.get_parameter("autostart").value and self.trigger_configure() == TransitionCallbackReturn.SUCCESS:
            self.trigger_activate()

    # ---------------------------------------------------------------- lifecycle

    @_reported
    def on_configure(self) -> None:
        parameters = read_parameters(self, WorldModelParameters)
        self.get_logger().info(f"Loading `{parameters.checkpoint}` on {parameters.device}")
        self._settings, self._server = parameters, ModelServer(self, parameters)
        self._fault = ""
        info = self._server.info
        self._info.publish(info)
        self.get_logger().info(f"`{info.name}` for {info.robot}: {info.num_parameters / 1e6:.1f} M parameters, warmed up")

    @_reported
    def on_activate(self) -> None:
        server, parameters = self._need_server(), self._settings
        server.start()
        self._fault = ""
        kind, suffix = (Image, "") if parameters.image_transport == "raw" else (CompressedImage, "/compressed")
        self._entities = [
            subscribe(self, kind, f"head_camera/image_raw{suffix}", self._on_image, SENSOR),
            subscribe(self, JointState, "joint_states", self._on_states, JOINTS_IN),
            subscribe(self, ActionCandidates, "~/candidates", self._on_candidates, RELIABLE, self._awaiting),
        ]
        if server.info.action_kind == ModelInfo.COMMANDS:
            self._entities.append(subscribe(self, JointState, "joint_commands", self._on_command, JOINTS_IN))
        if parameters.prediction_rate_hz > 0:
            period_s = 1 / parameters.prediction_rate_hz
            self._entities.append(self.create_timer(period_s, self._show, self._awaiting, STEADY))

    @_reported
    def on_deactivate(self) -> None:
        self._stop()

    @_reported
    def on_cleanup(self) -> None:
        self._release()

    @_reported
    def on_shutdown(self) -> None:
        self._release()

    @_reported
    def on_error(self) -> None:
        self._release()

    def destroy_node(self) -> None:
        self._release()
        super().destroy_node()

    def fail(self, error: Exception) -> None:
        """Keep the reason for the diagnostics and log it."""
        self._fault = error_text(error)
        trace = "" if isinstance(error, BadInput) else "\n" + "".join(traceback.format_exception(error))
        self.get_logger().error(self._fault + trace)

    def _stop(self) -> None:
        for entity in self._entities:
            (self.destroy_timer if hasattr(entity, "cancel") else self.destroy_subscription)(entity)
        self._entities = []

    def _release(self) -> None:
        self._stop()
        if self._server is not None:
            self._server.close()
            self._server = None

    def _apply(self, parameters: WorldModelParameters) -> None:
        if self._server is not None:
            self._server.set_objective(parameters.objective)

    # ---------------------------------------------------------------- input

    def _on_image(self, message: Image | CompressedImage) -> None:
        server = self._need_server()
        self._received["image"] += 1
        self._camera_frame = message.header.frame_id
        stamp_ns = self._stamp(message)
        self._take(server.context.add_image, stamp_ns, message)
        self._publish_status(server)
        if stamp_ns > 0:
            server.latencies.add("status", (self.get_clock().now().nanoseconds - stamp_ns) * 1e-9)

    def _on_states(self, message: JointState) -> None:
        self._received["joint_states"] += 1
        self._take(self._need_server().context.add_states, self._stamp(message), message.name, message.position)

    def _on_command(self, message: JointState) -> None:
        self._received["commands"] += 1
        self._take(self._need_server().context.add_command, self._stamp(message), message.name, message.position)

    def _take(self, add: Callable[..., None], *message: Any) -> None:
        try:
            add(*message)
        except BadInput as error:  # counted by the context
            self.get_logger().warning(str(error), throttle_duration_sec=5.0)

    def _stamp(self, message: Image | CompressedImage | JointState) -> int:
        stamp_ns = convert.stamp_ns(message.header.stamp)
        if stamp_ns == 0 and self._settings.zero_stamps == "receive_time":
            return self.get_clock().now().nanoseconds
        return stamp_ns

    def _publish_status(self, server: ModelServer) -> None:
        context = server.context
        status = ContextStatus(
            header=convert.header(context.newest_stamp_ns or 0, self._camera_frame),
            ready=True,
            frames_held=context.frames_held,
            frames_needed=server.info.past_frames,
            **context.counts(),
        )
        try:
            context.window()
        except BadInput as error:
            status.ready, status.error_code, status.error_msg = False, error_code(error), str(error)
        self._status.publish(status)

    # ---------------------------------------------------------------- answers

    async def _on_candidates(self, message: ActionCandidates) -> None:
        self._scores.publish(await self._score(message, None, slot="candidates"))

    async def _on_score_actions(self, request: ScoreActions.Request, response: ScoreActions.Response) -> ScoreActions.Response:
        response.scores = await self._score(request.candidates, request.goal, slot="")
        return response

    async def _score(self, message: ActionCandidates, goal: Image | None, slot: str) -> ActionScores:
        try:
            return await self._need_active().score(message, goal, slot)
        except Exception as error:
            return self._refuse(ActionScores(request_id=message.request_id, best_index=-1), error)

    async def _on_predict_rollout(self, request: PredictRollout.Request, response: PredictRollout.Response) -> PredictRollout.Response:
        try:
            response.frames = await self._need_active().rollout(request.candidates)
        except Exception as error:
            self._refuse(response, error)
        return response

    async def _on_set_goal(self, request: SetGoal.Request, response: SetGoal.Response) -> SetGoal.Response:
        try:
            await self._need_server().set_goal(request.goal)
        except Exception as error:
            self._refuse(response, error)
        return response

    def _on_reset_context(self, _: ResetContext.Request, response: ResetContext.Response) -> ResetContext.Response:
        try:
            self._need_server().start()
        except NotActive as error:
            self._refuse(response, error)
        return response

    def _on_get_model_info(self, _: GetModelInfo.Request, response: GetModelInfo.Response) -> GetModelInfo.Response:
        try:
            response.info = self._need_server().info
        except NotActive as error:
            self._refuse(response, error)
        return response

    def _refuse(self, response: Any, error: Exception) -> Any:
        response.error_code, response.error_msg = error_code(error), error_text(error)
        if response.error_code == ErrorCode.INTERNAL:
            self.fail(error)
        return response

    async def _show(self) -> None:
        """Publish what the model expects, when someone looks."""
        looked_at = [p for p in (self._frames, self._picture) if p.get_subscription_count() > 0]
        if not looked_at:
            return
        try:
            shown = await self._need_active().shown()
        except (NoContext, Superseded, Stopped, NotActive):
            return
        except Exception as error:
            self.fail(error)
            return
        self._publish_shown(shown)

    def _publish_shown(self, shown: Shown) -> None:
        head = convert.header(shown.window.stamp_ns, self._camera_frame)
        rate = self._need_server().info.frame_rate_hz
        if self._frames.get_subscription_count() > 0:
            self._frames.publish(convert.frames_message(shown.frames[None], shown.source, rate, head))
        if self._picture.get_subscription_count() > 0:
            strip = prediction_strip(shown.window.frames, shown.frames, rate, _SHOWN_AS[shown.source])
            self._picture.publish(convert.image_message(strip, head))

    # ---------------------------------------------------------------- health

    def _report(self) -> None:
        values: dict[str, Any] = {"memory_peak_mb": memory_mb()}
        level, summary = DiagnosticStatus.OK, "ready"
        server = self._server
        if server is None or not self._entities:
            level, summary = DiagnosticStatus.WARN, "unconfigured" if server is None else "inactive"
        else:
            values |= {f"{topic}_rate_hz": count / _DIAGNOSTICS_S for topic, count in self._received.items()}
            values |= server.context.counts()
            values |= {f"{stage}_{p}_ms": ms for stage, row in server.latencies.summary().items() for p, ms in row.items()}
            if (newest_ns := server.context.newest_stamp_ns) is not None:
                values["newest_frame_age_s"] = (self.get_clock().now().nanoseconds - newest_ns) * 1e-9
            try:
                server.context.window()
            except BadInput as error:
                level = DiagnosticStatus.WARN if isinstance(error, NoContext) else DiagnosticStatus.ERROR
                summary = str(error)
        if self._fault:
            level, summary = DiagnosticStatus.ERROR, self._fault
        self._diagnostics.publish(health(self, level, summary, values))
        self._received.clear()
        if self._entities:  # an answer that failed is past; a transition that failed is the state we are in
            self._fault = ""

    def _need_server(self) -> ModelServer:
        if self._server is None:
            raise NotActive("world_model", expected="a configured node", got="no model loaded", remedy="Configure it; if that failed, /diagnostics says why.")
        return self._server

    def _need_active(self) -> ModelServer:
        server = self._need_server()
        if not self._entities:
            raise NotActive("world_model", expected="an active node", got="an inactive one", remedy="Activate it.")
        return server


def main() -> None:
    """Entry of the executable `world_model`."""
    run(WorldModelNode)
