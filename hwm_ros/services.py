"""The services of the world_model node, and the topics ~/candidates, ~/scores and ~/search_costs."""

from collections.abc import Callable
from typing import Any

from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.node import Node
from rclpy.subscription import Subscription
from sensor_msgs.msg import Image

from hwm_core.live.publishers import Publishers
from hwm_ros.distributions import numbered
from hwm_ros.error_codes import NotActive, error_code, error_text
from hwm_ros.lifecycle_model import LifecycleModel
from hwm_ros.msg import ActionCandidates, ActionScores, ErrorCode, SearchCosts
from hwm_ros.qos import RELIABLE, REQUESTS, create_publisher, create_subscription
from hwm_ros.srv import CancelRequests, GetModelInfo, MakePlan, PredictRollout, ResetContext, ScoreActions, SetGoal


class ModelServices:
    """Answers every request: with a result, or with an error code and its reason.

    Args:
        node: offers the services.
        model: the model that answers.
        on_fault: called with every error that is a fault of this package.
        on_reset: called when the context was reset.
    """

    def __init__(
        self,
        node: Node,
        model: LifecycleModel,
        on_fault: Callable[[Exception], None],
        on_reset: Callable[[], None],
    ) -> None:
        self._node, self._model, self._on_fault, self._on_reset = node, model, on_fault, on_reset
        # A callback that awaits the worker blocks its callback group. The default group must stay free for images.
        self._group = ReentrantCallbackGroup()
        self._publishers = Publishers()  # of ~/candidates
        self._scores = create_publisher(node, ActionScores, "~/scores", RELIABLE)
        self._costs = create_publisher(node, SearchCosts, "~/search_costs", RELIABLE)
        for kind, name, callback in (
            (ScoreActions, "score_actions", self._on_score_actions),
            (MakePlan, "plan", self._on_plan),
            (PredictRollout, "predict_rollout", self._on_predict_rollout),
            (SetGoal, "set_goal", self._on_set_goal),
            (ResetContext, "reset_context", self._on_reset_context),
            (CancelRequests, "cancel_requests", self._on_cancel_requests),
            (GetModelInfo, "get_model_info", self._on_get_model_info),
        ):
            node.create_service(kind, f"~/{name}", callback, qos_profile=REQUESTS, callback_group=self._group)

    def subscribe(self) -> Subscription:
        """Subscribe to ~/candidates; the caller destroys the subscription when the node is deactivated."""
        return create_subscription(
            self._node, ActionCandidates, "~/candidates", numbered(self._on_candidates), RELIABLE, self._group
        )

    async def _on_candidates(self, message: ActionCandidates, number: int | None) -> None:
        publisher = self._publishers.identify(number)
        self._scores.publish(await self._score(message, None, message.sender or f"publisher {publisher}", True))

    async def _on_score_actions(
        self, request: ScoreActions.Request, response: ScoreActions.Response
    ) -> ScoreActions.Response:
        response.scores = await self._score(request.candidates, request.goal, request.candidates.sender)
        return response

    async def _score(
        self, message: ActionCandidates, goal: Image | None, sender: str, newest_only: bool = False
    ) -> ActionScores:
        try:
            return await self._model.active().score(message, goal, sender, newest_only)
        except Exception as error:
            return self._error(ActionScores(request_id=message.request_id, best_index=-1), error)

    async def _on_plan(self, request: MakePlan.Request, response: MakePlan.Response) -> MakePlan.Response:
        try:
            looks = self._costs.get_subscription_count() > 0
            return await self._model.active().plan(request, self._costs.publish if looks else None)
        except Exception as error:
            return self._error(response, error)

    async def _on_predict_rollout(
        self, request: PredictRollout.Request, response: PredictRollout.Response
    ) -> PredictRollout.Response:
        try:
            response.frames = await self._model.active().rollout(request.candidates)
        except Exception as error:
            self._error(response, error)
        return response

    async def _on_set_goal(self, request: SetGoal.Request, response: SetGoal.Response) -> SetGoal.Response:
        try:
            response.goal_version = await self._model.loaded().set_goal(request.goal)
        except Exception as error:
            self._error(response, error)
        return response

    def _on_reset_context(self, _: ResetContext.Request, response: ResetContext.Response) -> ResetContext.Response:
        try:
            self._model.loaded().reset()
            self._on_reset()
        except NotActive as error:
            self._error(response, error)
        return response

    def _on_cancel_requests(
        self, request: CancelRequests.Request, response: CancelRequests.Response
    ) -> CancelRequests.Response:
        try:
            response.num_canceled = self._model.loaded().cancel(request.sender)
        except NotActive as error:
            self._error(response, error)
        return response

    def _on_get_model_info(self, _: GetModelInfo.Request, response: GetModelInfo.Response) -> GetModelInfo.Response:
        try:
            response.info = self._model.loaded().info
        except NotActive as error:
            self._error(response, error)
        return response

    def _error(self, response: Any, error: Exception) -> Any:
        """The response with the error's code and message."""
        response.error_code, response.error_msg = error_code(error), error_text(error)
        if response.error_code == ErrorCode.INTERNAL:
            self._on_fault(error)
        return response
