"""The `world_model` node: a lifecycle node that serves a world model from live camera images and joint messages."""

import gc
import traceback
from collections.abc import Callable
from functools import wraps
from typing import Any

from pydantic import Field
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn

from hwm_core.errors import BadInput
from hwm_ros.error_codes import error_text
from hwm_ros.film import FilmPublisher
from hwm_ros.lifecycle_model import LifecycleModel, reject_impossible_transitions
from hwm_ros.model_health import ModelHealth
from hwm_ros.model_inputs import InputParameters, ModelInputs
from hwm_ros.model_parameters import ModelParameters
from hwm_ros.model_server import ModelServer
from hwm_ros.msg import ModelInfo
from hwm_ros.node import STEADY, run
from hwm_ros.parameters import declare_parameters, read_parameters, watch_parameters
from hwm_ros.preview import PreviewPublisher
from hwm_ros.qos import LATCHED, create_publisher
from hwm_ros.recorded_goals import RecordedGoals
from hwm_ros.services import ModelServices
from hwm_ros.surprise_publisher import SurprisePublisher

_CHECK_S = 0.1  # period of looking for requests whose time is over


class WorldModelParameters(ModelParameters, InputParameters):
    """Parameters of the node."""

    autostart: bool = Field(
        default=True, description="configure and activate the node when it starts, without a lifecycle manager"
    )
    prediction_rate_hz: float = Field(
        default=2.0,
        ge=0.0,
        le=60.0,
        description="predictions published per second while a topic has a subscriber; 0: none",
    )
    film_rate_hz: float = Field(
        default=0.5,
        ge=0.0,
        le=10.0,
        description="films of the newest plan per second, while ~/plan_film/compressed has a subscriber; 0: none",
    )


Transition = Callable[["WorldModelNode", LifecycleState], TransitionCallbackReturn]


def _reported(transition: Callable[["WorldModelNode"], None]) -> Transition:
    """A transition that logs why it failed. Bad input returns FAILURE (the state stays), any other error ERROR."""

    @wraps(transition)
    def guarded(self: "WorldModelNode", _: LifecycleState) -> TransitionCallbackReturn:
        try:
            transition(self)
        except BadInput as error:
            self.report_fault(error)
            return TransitionCallbackReturn.FAILURE
        except Exception as error:
            self.report_fault(error)
            return TransitionCallbackReturn.ERROR
        return TransitionCallbackReturn.SUCCESS

    return guarded


class WorldModelNode(LifecycleNode):
    """Adds messages to the context, publishes its status, and offers the model's services.

    Callbacks only store messages. A worker thread owns the model and answers the requests.
    """

    def __init__(self) -> None:
        super().__init__("world_model")
        reject_impossible_transitions(self)
        declare_parameters(self, WorldModelParameters)
        self._model = LifecycleModel()
        watch_parameters(self, WorldModelParameters, self._locked, self._apply)
        self._entities: list[Any] = []  # subscriptions and timers that exist while the node is active
        self._inputs: ModelInputs | None = None  # exists while the node is active
        self._fault = ""  # why the last transition or request failed

        self._info = create_publisher(self, ModelInfo, "~/model_info", LATCHED)
        self._surprise = SurprisePublisher(self, self._model, self.report_fault)
        self._health = ModelHealth(self, self._model, self._surprise, self._take_fault)
        self._model_services = ModelServices(self, self._model, self.report_fault, self._on_reset)
        self._recorded_goals = RecordedGoals(self, self._model, self.report_fault)
        self._preview = PreviewPublisher(self, self._model, self.report_fault)
        self._film = FilmPublisher(self, self._model, self.report_fault)
        self.create_timer(_CHECK_S, self._check, clock=STEADY)
        if self.get_parameter("autostart").value and self.trigger_configure() == TransitionCallbackReturn.SUCCESS:
            self.trigger_activate()

    # ---------------------------------------------------------------- lifecycle

    @_reported
    def on_configure(self) -> None:
        parameters = read_parameters(self, WorldModelParameters)
        self.get_logger().info(f"Loading `{parameters.checkpoint}` on {parameters.device}")
        self._settings, self._model.server = parameters, ModelServer(self, parameters)
        gc.collect()
        gc.freeze()  # later collections leave out what was loaded: a full one would stop all threads for long
        self._fault = ""
        info = self._model.server.info
        self._info.publish(info)
        self.get_logger().info(f"Loaded `{info.name}` for {info.robot}: {info.num_parameters / 1e6:.1f} M parameters")

    @_reported
    def on_activate(self) -> None:
        server, settings = self._model.loaded(), self._settings
        server.reset()
        self._fault = ""
        self._surprise.start(settings.surprise)
        self._inputs = ModelInputs(self, server, settings, self._health.on_image)
        self._health.watch(self._inputs)
        self._entities = [self._model_services.subscribe()]
        if settings.prediction_rate_hz > 0:
            self._entities.append(self._preview.start(settings.prediction_rate_hz))
        if settings.film_rate_hz > 0:
            self._entities += self._film.start(settings.film_rate_hz)
        self._model.is_active = True
        self.get_logger().info("Active: waits for images")

    @_reported
    def on_deactivate(self) -> None:
        self._stop()
        self._model.loaded().cancel("")  # nobody waits for minutes for an answer of a node that has been stopped

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
        self._recorded_goals.close()
        self._release()
        super().destroy_node()

    def report_fault(self, error: Exception) -> None:
        """Log an error and keep its message for the diagnostics."""
        self._fault = error_text(error)
        trace = "" if isinstance(error, BadInput) else "\n" + "".join(traceback.format_exception(error))
        self.get_logger().error(self._fault + trace)

    def _stop(self) -> None:
        self._model.is_active = False
        for entity in self._entities:
            (self.destroy_timer if hasattr(entity, "cancel") else self.destroy_subscription)(entity)
        self._entities = []
        self._health.watch(None)
        if self._inputs is not None:
            self._inputs.close()
            self._inputs = None

    def _on_reset(self) -> None:
        self._surprise.start(self._settings.surprise)
        if self._inputs is not None:
            self._inputs.restart()

    def _release(self) -> None:
        self._stop()
        if self._model.server is not None:
            self._model.server.close()
            self._model.server = None
            gc.unfreeze()

    def _locked(self) -> str:
        """Why parameters that are not LIVE cannot change now; empty: they can."""
        if self._model.server is None:
            return ""
        return "read only when the node is configured. Call the transition `cleanup` first."

    def _apply(self, parameters: WorldModelParameters) -> None:
        """Apply a changed LIVE parameter."""
        if self._model.server is not None:
            self._model.server.set_objective(parameters.objective)

    def _check(self) -> None:
        if self._model.server is not None:
            self._model.server.expire_requests()

    def _take_fault(self) -> str:
        """The newest fault. A failed request is reported once; a failed transition until the next transition."""
        fault = self._fault
        if self._model.is_active:
            self._fault = ""
        return fault


def main() -> None:
    """Entry point of the executable `world_model`."""
    run(WorldModelNode)
