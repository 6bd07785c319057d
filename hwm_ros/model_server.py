"""A world model in its own thread that answers requests in ROS messages."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from time import perf_counter
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rclpy.node import Node
from sensor_msgs.msg import Image

from hwm_core.data.recording.image_message import decode_image
from hwm_core.device import flush_denormals, read_device
from hwm_core.errors import BadConfig
from hwm_core.live.context import Context
from hwm_core.live.context_window import ContextWindow
from hwm_core.live.goals import GoalChoice
from hwm_core.live.model import LiveModel
from hwm_core.live.planner import Followed, LivePlan, LivePlanner, PlanRequest
from hwm_core.live.surprise import Surprise, SurpriseMonitor
from hwm_core.live.surprise_file import read_surprise
from hwm_core.live.worker import Worker
from hwm_core.metrics.latency import Latencies
from hwm_core.planning.costs.objective import Objective
from hwm_core.world_model.checkpoint_files import checkpoint_folder
from hwm_core.world_model.model import WorldModel
from hwm_ros import convert
from hwm_ros.model_answers import plan_response, scores_message, search_costs
from hwm_ros.model_info import model_info
from hwm_ros.model_parameters import ModelParameters
from hwm_ros.msg import ActionCandidates, ActionScores, ActionSequence, PredictedFrames, SearchCosts
from hwm_ros.node import on_executor
from hwm_ros.srv import MakePlan

_SET_GOAL = "set_goal/"


@dataclass(frozen=True)
class Preview:
    """The current context and the predicted frames after it."""

    window: ContextWindow
    source: int  # source of the actions: PredictedFrames.HOLD or PLAN
    frames: NDArray[np.uint8]  # [F, H, W, 3] predicted


class ModelServer:
    """Loads a checkpoint in a worker thread, warms it up, and answers requests from the newest context.

    The executor's thread adds messages to `context` and calls the coroutines; the worker thread alone runs the model.

    Raises:
        BadCheckpoint: the checkpoint cannot be used.
        BadConfig: the device does not exist.
    """

    def __init__(self, node: Node, parameters: ModelParameters) -> None:
        self._node, self.least_gain = node, parameters.search.least_gain
        self._worker = Worker("world_model", parameters.requests)
        # Stamp and actions [F, A] of the newest plan or best candidate. The executor replaces the tuple, and the worker
        # reads it.
        self._best: tuple[int, NDArray[np.float32]] | None = None
        self.latencies = Latencies(capacity=1000)
        try:
            self._live, self._planner, self._monitor = self._worker.submit(
                partial(_load, parameters, self._worker.check), urgent=True
            ).result()
        except BaseException:
            self._worker.close()
            raise
        self._model: WorldModel = self._live.world_model
        self.context = Context(self._model.manifest, self._model.preprocessing, self._model.past_frames)
        self.compares_images = parameters.objective.compares_scenes
        self.camera_frame = ""  # frame_id of the newest image
        self.before_request: Callable[[], None] | None = None  # adds the messages that have arrived to the context
        self.goal_version = self._live.goals.version
        self.info = model_info(self._model, self._live.space)

    def close(self) -> None:
        """Stop the worker thread; all requests end with an error, a running one within one pass of the model."""
        self._worker.close()
        if self._model.device.type == "cuda":
            torch.cuda.empty_cache()  # free the memory of the weights for other processes

    def reset(self) -> None:
        """Start again with an empty context, and cancel the requests. The goal is kept; it starts again too."""
        self.context.reset()
        self._worker.cancel(lambda sender: sender != _SET_GOAL)
        self._worker.submit(self._live.goals.forget_starts, urgent=True)
        self._best = None

    def cancel(self, sender: str) -> int:
        """Cancel the requests of a sender; of all senders if it is empty. Returns their number."""
        return self._worker.cancel(lambda lane: lane != _SET_GOAL and sender in ("", lane.partition("/")[2]))

    def expire_requests(self) -> None:
        """Answer the waiting requests whose time is over. To be called a few times per second."""
        self._worker.expire()

    def requests(self) -> dict[str, float]:
        """The counts of `Worker.counts`."""
        return self._worker.counts()

    def set_objective(self, objective: Objective) -> None:
        """Use other cost weights; the context is kept."""
        self.compares_images = objective.compares_scenes
        self._worker.submit(partial(self._live.set_objective, objective), urgent=True)

    async def set_goal(self, message: Image) -> int:
        """Set the goal image; a message without data clears it. Returns its version. Raises BadImage or Busy."""
        self._worker.require_room(_SET_GOAL)
        return await self.set_goal_frame(self._frame(message))

    async def set_goal_frame(self, frame: NDArray[np.uint8] | None) -> int:
        """Set the goal to a preprocessed frame [H, W, 3]; None clears it. Returns its version. Raises Busy."""
        self._worker.require_room(_SET_GOAL)
        self.goal_version = await self._run(partial(self._live.set_goal, frame), _SET_GOAL)
        return self.goal_version

    def preprocessed(self, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """A camera image [H, W, 3] as a frame of the model. Raises BadImage."""
        return self._model.preprocessing.apply(rgb)

    async def cost_of_holding(self, goal: NDArray[np.uint8]) -> float:
        """The cost of staying where the robot is, towards a preprocessed frame. Raises as `score`."""
        lane = "recording/"
        self._worker.require_room(lane)
        return await self._run(lambda: self._live.cost_of_holding(self.context.window(), goal), lane)

    async def score(
        self, message: ActionCandidates, goal: Image | None, sender: str, newest_only: bool = False
    ) -> ActionScores:
        """Costs of candidate action sequences.

        Args:
            message: the candidates.
            goal: goal image of this request; None or without data: the goal that was set.
            sender: senders take turns.
            newest_only: the request replaces the waiting one of this sender.

        Raises:
            BadInput: unusable candidates or goal image, no goal, an incomplete context, or too many requests wait.
            Superseded: a newer request of this sender came.
            Canceled: by `cancel` or `reset`.
            Stopped: the server was closed.
        """
        lane = f"{'candidates' if newest_only else 'score'}/{sender}"
        self._worker.require_room(lane, newest_only)
        candidates, goal_frame = self._actions(message), self._frame(goal)
        requested = perf_counter()
        started, answer = await self._run(
            lambda: (perf_counter(), self._live.score(self.context.window(), candidates, goal_frame)),
            lane,
            newest_only,
        )
        scores = answer.scores
        stages = {
            "queue": started - requested,
            "encode": answer.encode_seconds,
            "rollout": scores.seconds["rollout"],
            "cost": scores.seconds["cost"],
            "uncertainty": scores.seconds["uncertainty"],
        }
        for stage, seconds in stages.items():
            self.latencies.add(stage, seconds)
        self._best = (answer.stamp_ns, candidates[scores.best])
        return scores_message(answer, message.request_id, stages)

    async def plan(
        self, message: MakePlan.Request, report: Callable[[SearchCosts], None] | None = None
    ) -> MakePlan.Response:
        """Search for a plan from the newest context.

        Args:
            message: the request.
            report: called with the cost terms of the search, if it finds a plan; None: nobody looks.

        Raises:
            BadInput: the errors of `LivePlanner.plan`, an unusable goal image, or too many requests.
            Canceled, Stopped: by `cancel` or `reset`, or the server was closed.
        """
        lane = f"plan/{message.sender}"
        self._worker.require_room(lane)
        goal, followed, requested = self._frame(message.goal), self._followed(message.followed), perf_counter()
        if not message.deadline_s >= 0:
            raise BadConfig(
                "Deadline of a plan",
                expected="seconds, or 0 for no deadline",
                got=message.deadline_s,
                remedy="Correct `deadline_s`.",
            )

        def search() -> tuple[float, LivePlan]:
            queued = perf_counter() - requested
            seconds = message.deadline_s - queued if message.deadline_s else None
            choice = GoalChoice(goal, message.goal_version, message.sender)
            begin_ns, joints = convert.stamp_ns(message.begin), tuple(message.joints)
            rest = (message.observed_frames, message.seed, report is not None)
            request = PlanRequest(joints, choice, followed, begin_ns, seconds, *rest)
            return queued, self._planner.plan(self.context.window(), request)

        queued, made = await self._run(search, lane)
        stages = {"queue": queued, "encode": made.encode_seconds, "search": made.search_seconds}
        for stage, seconds in stages.items():
            self.latencies.add(stage, seconds)
        if followed is None and not convert.stamp_ns(message.begin):  # the robot stood until now
            made = replace(made, stamp_ns=self.context.newest_stamp_ns or made.stamp_ns)
        self._best = (made.stamp_ns, made.actions)
        if report is not None and made.trace is not None:
            report(search_costs(made, made.trace))
        return plan_response(made, self.info.joint_names, stages)

    async def rollout(self, message: ActionCandidates) -> PredictedFrames:
        """Predicted frames of action sequences. Raises BadInput, Canceled or Stopped."""
        lane = f"rollout/{message.sender}"
        self._worker.require_room(lane)
        actions = self._actions(message)

        def predict() -> tuple[int, NDArray[np.uint8]]:
            window = self.context.window()
            return window.stamp_ns, self._live.predict(window, actions)

        stamp_ns, frames = await self._run(predict, lane)
        header = convert.header(stamp_ns, self.camera_frame)
        return convert.frames_message(frames, PredictedFrames.REQUEST, self.info.frame_rate_hz, header)

    async def preview(self, lane: str = "preview/") -> Preview:
        """Predicted frames of the newest plan or best candidate, or else of the newest action held.

        A newer request of a lane replaces its waiting one. Raises BadInput, Superseded, Canceled or Stopped.
        """
        started = perf_counter()
        preview = await self._run(self._predict_preview, lane, replaces=True)
        self.latencies.add("preview", perf_counter() - started)
        return preview

    @property
    def frames_per_latent(self) -> int:
        """Frames of the model between two comparisons of `compare`."""
        return self._monitor.frames

    async def compare(self, window: ContextWindow) -> Surprise | None:
        """Compare the newest latent with its prediction (see `SurpriseMonitor`). Raises as `preview`."""
        return await self._run(partial(self._monitor.compare, window), "surprise/", replaces=True)

    def health(self, now_ns: int) -> dict[str, Any]:
        """Values for /diagnostics: counters, age of the newest frame, latencies by stage, device memory."""
        values: dict[str, Any] = self.context.counts() | self._worker.counts()
        if (newest_ns := self.context.newest_stamp_ns) is not None:
            values["newest_frame_age_s"] = (now_ns - newest_ns) * 1e-9
        if self._model.device.type == "cuda":
            values["device_memory_peak_mb"] = torch.cuda.max_memory_allocated(self._model.device) / 2**20
        return values | {
            f"{stage}_{percentile}_ms": ms
            for stage, percentiles in self.latencies.summary().items()
            for percentile, ms in percentiles.items()
        }

    def _predict_preview(self) -> Preview:
        window, best = self.context.window(), self._best  # read `_best` once: the executor may replace it
        plan = None if best is None else self._live.rest_of(best[1], best[0], window.stamp_ns)
        actions = self._live.hold(self.context.newest_action()) if plan is None else plan
        source = PredictedFrames.HOLD if plan is None else PredictedFrames.PLAN
        return Preview(window, source, self._live.predict(window, actions[None])[0])

    async def _run(self, work: Callable[[], Any], lane: str, replaces: bool = False) -> Any:
        if self.before_request is not None:
            self.before_request()
        return await on_executor(self._node, self._worker.submit(work, lane, replaces=replaces))

    def _actions(self, message: ActionCandidates) -> NDArray[np.float32]:
        """Actions [S, F, A] in manifest order."""
        columns = self._model.manifest.match(message.joint_names)
        return convert.read_candidates(message)[:, :, columns]

    def _followed(self, message: ActionSequence) -> Followed | None:
        """The plan that the robot follows, in manifest order; None without one."""
        if message.num_steps == 0:
            return None
        columns = self._model.manifest.match(message.joint_names)
        return Followed(convert.read_sequence(message)[:, columns], convert.stamp_ns(message.header.stamp))

    def _frame(self, message: Image | None) -> NDArray[np.uint8] | None:
        """The preprocessed frame [H, W, 3] of an image message; None without data."""
        if message is None or len(message.data) == 0:
            return None
        return self.preprocessed(decode_image(message))


def _load(
    parameters: ModelParameters, before_pass: Callable[[], None]
) -> tuple[LiveModel, LivePlanner, SurpriseMonitor]:
    flush_denormals()
    world_model = WorldModel.load(parameters.checkpoint, device=read_device(parameters.device), dtype=parameters.dtype)
    live = LiveModel(world_model, parameters.live, parameters.objective, parameters.limits, before_pass=before_pass)
    arm = parameters.arm.arm(world_model.manifest)
    proposers = parameters.proposals.proposers(world_model, world_model.device)
    planner = LivePlanner(live, parameters.search, arm, proposers)
    live.warm_up()
    planner.warm_up()
    measured = read_surprise(checkpoint_folder(parameters.checkpoint), world_model.sha256)
    return live, planner, SurpriseMonitor(live, 0.0 if measured is None else measured.error)
