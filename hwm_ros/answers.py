"""What others ask of the world model: scores, rollouts, goals, pictures."""

from typing import Any, Protocol

from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.node import Node
from sensor_msgs.msg import Image

from hwm_core.errors import BadInput
from hwm_core.live.worker import Stopped, Superseded
from hwm_core.visualization.prediction_strip import prediction_strip
from hwm_ros import convert
from hwm_ros.model_server import ModelServer
from hwm_ros.msg import ActionCandidates, ActionScores, ErrorCode, PredictedFrames
from hwm_ros.node import STEADY, NotActive, error_code, error_text
from hwm_ros.qos import RELIABLE, create_publisher, create_subscription
from hwm_ros.srv import GetModelInfo, PredictRollout, ResetContext, ScoreActions, SetGoal

_SHOWN_AS = {PredictedFrames.HOLD: "newest action held", PredictedFrames.PLAN: "the planner's newest best"}


class Host(Protocol):
    """What the answers need of the node's state."""

    camera_frame: str

    def configured(self) -> ModelServer:
        """Raises NotActive when no model is loaded."""
        ...

    def active(self) -> ModelServer:
        """Raises NotActive when the node is not active."""
        ...

    def fail(self, error: Exception) -> None:
        """Log and report a fault of this package."""
        ...


class Answers:
    """Services and topics of a node; every question is answered, if need be with an error code and its reason."""

    def __init__(self, node: Node, host: Host) -> None:
        self._node, self._host = node, host
        # A callback that awaits the worker keeps its group busy; in the default group it would hold the images back.
        self._awaiting = ReentrantCallbackGroup()
        self._scores = create_publisher(node, ActionScores, "~/scores", RELIABLE)
        self._frames = create_publisher(node, PredictedFrames, "~/predicted_frames", RELIABLE)
        self._picture = create_publisher(node, Image, "~/prediction_image", RELIABLE)
        for kind, name, callback in (
            (ScoreActions, "score_actions", self._on_score_actions),
            (PredictRollout, "predict_rollout", self._on_predict_rollout),
            (SetGoal, "set_goal", self._on_set_goal),
            (ResetContext, "reset_context", self._on_reset_context),
            (GetModelInfo, "get_model_info", self._on_get_model_info),
        ):
            node.create_service(kind, f"~/{name}", callback, callback_group=self._awaiting)

    def begin(self, prediction_rate_hz: float) -> list[Any]:
        """Listen to candidates and show predictions; the subscription and the timer to destroy at the end."""
        entities: list[Any] = [
            create_subscription(
                self._node, ActionCandidates, "~/candidates", self._on_candidates, RELIABLE, self._awaiting
            )
        ]
        if prediction_rate_hz > 0:
            entities.append(self._node.create_timer(1 / prediction_rate_hz, self._show, self._awaiting, STEADY))
        return entities

    async def _on_candidates(self, message: ActionCandidates) -> None:
        self._scores.publish(await self._score(message, None, slot="candidates"))

    async def _on_score_actions(
        self, request: ScoreActions.Request, response: ScoreActions.Response
    ) -> ScoreActions.Response:
        response.scores = await self._score(request.candidates, request.goal, slot="")
        return response

    async def _score(self, message: ActionCandidates, goal: Image | None, slot: str) -> ActionScores:
        try:
            return await self._host.active().score(message, goal, slot)
        except Exception as error:
            return self._reject(ActionScores(request_id=message.request_id, best_index=-1), error)

    async def _on_predict_rollout(
        self, request: PredictRollout.Request, response: PredictRollout.Response
    ) -> PredictRollout.Response:
        try:
            response.frames = await self._host.active().rollout(request.candidates)
        except Exception as error:
            self._reject(response, error)
        return response

    async def _on_set_goal(self, request: SetGoal.Request, response: SetGoal.Response) -> SetGoal.Response:
        try:
            await self._host.configured().set_goal(request.goal)
        except Exception as error:
            self._reject(response, error)
        return response

    def _on_reset_context(self, _: ResetContext.Request, response: ResetContext.Response) -> ResetContext.Response:
        try:
            self._host.configured().start()
        except NotActive as error:
            self._reject(response, error)
        return response

    def _on_get_model_info(self, _: GetModelInfo.Request, response: GetModelInfo.Response) -> GetModelInfo.Response:
        try:
            response.info = self._host.configured().info
        except NotActive as error:
            self._reject(response, error)
        return response

    def _reject(self, response: Any, error: Exception) -> Any:
        response.error_code, response.error_msg = error_code(error), error_text(error)
        if response.error_code == ErrorCode.INTERNAL:
            self._host.fail(error)
        return response

    async def _show(self) -> None:
        """Publish what the model expects, when someone looks."""
        to_frames, to_picture = (p.get_subscription_count() > 0 for p in (self._frames, self._picture))
        if not (to_frames or to_picture):
            return
        try:
            server = self._host.active()
            shown = await server.shown()
            head, rate = convert.header(shown.window.stamp_ns, self._host.camera_frame), server.info.frame_rate_hz
            if to_frames:
                self._frames.publish(convert.frames_message(shown.frames[None], shown.source, rate, head))
            if to_picture:
                strip = prediction_strip(shown.window.frames, shown.frames, rate, _SHOWN_AS[shown.source])
                self._picture.publish(convert.image_message(strip, head))
        except (BadInput, Superseded, Stopped):  # the status of every image tells
            return
        except Exception as error:
            self._host.fail(error)
