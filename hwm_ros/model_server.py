"""Questions asked in messages, answered by the thread that owns the model."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from rclpy.node import Node
from sensor_msgs.msg import Image

from hwm_core.assets import SHIPPED, checkpoint_path
from hwm_core.config import Config
from hwm_core.data.recording.image_message import decode_image
from hwm_core.device import read_device
from hwm_core.live.context import Context, ContextWindow
from hwm_core.live.model import LiveConfig, LiveModel
from hwm_core.live.worker import Worker
from hwm_core.metrics.latency import Latencies
from hwm_core.planning.costs import Objective
from hwm_core.world_model.model import WorldModel
from hwm_ros import convert
from hwm_ros.msg import ActionCandidates, ActionScores, ModelInfo, PredictedFrames
from hwm_ros.node import on_executor
from hwm_ros.parameters import LIVE


class ModelParameters(Config):
    """What is loaded, and how it answers."""

    checkpoint: str = Field(default=SHIPPED, description="folder of a checkpoint; `tiny` (masked) and `flow_tiny` ship")
    device: str = Field(default="cpu", description="device the model runs on, as PyTorch names it: cpu, cuda:0")
    dtype: Literal["bfloat16", "float32"] = Field(default="bfloat16", description="precision of the arithmetic")
    live: LiveConfig = LiveConfig()
    objective: Objective = Field(default=Objective(), json_schema_extra=LIVE)


@dataclass(frozen=True)
class Shown:
    """A prediction to look at."""

    window: ContextWindow
    source: int  # PredictedFrames.HOLD or PLAN
    frames: NDArray[np.uint8]  # [F, H, W, 3]


class ModelServer:
    """Loads a checkpoint in a thread of its own, warms it up, and answers from the newest context.

    Raises:
        BadCheckpoint: the checkpoint cannot be used.
        BadConfig: there is no such device.
    """

    def __init__(self, node: Node, parameters: ModelParameters) -> None:
        self._node = node
        self._worker = Worker("world_model")
        # Stamp and actions [F, A] of the newest best candidate; the executor replaces it whole, the worker reads it.
        self._best: tuple[int, NDArray[np.float32]] | None = None
        self.latencies = Latencies(capacity=1000)
        try:
            self._live = self._worker.submit(partial(_load, parameters)).result()
        except BaseException:
            self._worker.close()
            raise
        self.world_model: WorldModel = self._live.world_model
        model = self.world_model
        self.context = Context(model.manifest, model.preprocessing, model.past_frames)
        self.info = _info(model, parameters)

    def close(self) -> None:
        """End the thread; waiting questions are answered with an error."""
        self._worker.close()
        if self.world_model.device.type == "cuda":
            torch.cuda.empty_cache()  # other processes want what the weights leave

    def start(self) -> None:
        """Begin with an empty context."""
        self.context.reset()
        self._best = None

    def set_objective(self, objective: Objective) -> None:
        """Use other cost weights; the context stays."""
        self._worker.submit(partial(self._live.set_objective, objective))

    async def set_goal(self, message: Image) -> None:
        """Set the goal image; empty data forgets it. Raises BadImage."""
        image = self._picture(message)
        await self._ask(partial(self._live.set_goal, image))

    async def score(self, message: ActionCandidates, goal: Image | None, slot: str) -> ActionScores:
        """Costs of candidates; those of one `slot` are newest-only. Raises BadInput, Superseded, Stopped."""
        candidates, image = self._actions(message), self._picture(goal)
        asked = perf_counter()
        began, answer = await self._ask(
            lambda: (perf_counter(), self._live.score(self.context.window(), candidates, image)), slot
        )
        scores, seconds = answer.scores, answer.scores.seconds
        stages = {
            "queue": began - asked,
            "encode": answer.encode_seconds,
            "rollout": seconds["rollout"],
            "cost": seconds["cost"],
        }
        for stage, duration in stages.items():
            self.latencies.add(stage, duration)
        self._best = (answer.stamp_ns, candidates[scores.best])
        return ActionScores(
            header=convert.header(answer.stamp_ns),
            request_id=message.request_id,
            num_candidates=len(scores.costs),
            term_names=list(scores.terms),
            costs=convert.packed(scores.costs),
            term_costs=convert.packed(np.array([*scores.terms.values()], np.float32).T),
            best_index=scores.best,
            **{f"{stage}_ms": 1e3 * duration for stage, duration in stages.items()},
        )

    async def rollout(self, message: ActionCandidates) -> PredictedFrames:
        """Predicted frames of action sequences. Raises BadInput, Stopped."""
        actions = self._actions(message)

        def predict() -> tuple[int, NDArray[np.uint8]]:
            window = self.context.window()
            return window.stamp_ns, self._live.predict(window, actions)

        stamp_ns, frames = await self._ask(predict)
        rate = self.world_model.frame_rate_hz
        return convert.frames_message(frames, PredictedFrames.REQUEST, rate, convert.header(stamp_ns))

    async def shown(self) -> Shown:
        """What the newest best candidate leads to, or the newest action held. Raises BadInput, Superseded, Stopped."""
        began = perf_counter()
        shown = await self._ask(self._show, slot="shown")
        self.latencies.add("shown", perf_counter() - began)
        return shown

    def health(self, now_ns: int) -> dict[str, Any]:
        """Counters, the age of the newest frame, latencies by stage, and device memory."""
        values: dict[str, Any] = self.context.counts()
        if (newest_ns := self.context.newest_stamp_ns) is not None:
            values["newest_frame_age_s"] = (now_ns - newest_ns) * 1e-9
        if self.world_model.device.type == "cuda":
            values["device_memory_peak_mb"] = torch.cuda.max_memory_allocated(self.world_model.device) / 2**20
        return values | {
            f"{stage}_{p}_ms": ms for stage, row in self.latencies.summary().items() for p, ms in row.items()
        }

    def _show(self) -> Shown:
        window, best = self.context.window(), self._best  # once: the executor may replace it meanwhile
        plan = None if best is None else self._live.rest_of(best[1], best[0], window.stamp_ns)
        actions = self._live.hold(self.context.newest_action()) if plan is None else plan
        source = PredictedFrames.HOLD if plan is None else PredictedFrames.PLAN
        return Shown(window, source, self._live.predict(window, actions[None])[0])

    async def _ask(self, work: Callable[[], Any], slot: str = "") -> Any:
        return await on_executor(self._node, self._worker.submit(work, slot))

    def _actions(self, message: ActionCandidates) -> NDArray[np.float32]:
        """[S, F, A] in manifest order."""
        columns = self.world_model.manifest.match(message.joint_names)
        return convert.read_candidates(message)[:, :, columns]

    def _picture(self, message: Image | None) -> NDArray[np.uint8] | None:
        if message is None or len(message.data) == 0:
            return None
        return self.world_model.preprocessing.apply(decode_image(message))


def _load(parameters: ModelParameters) -> LiveModel:
    path = Path(checkpoint_path(parameters.checkpoint))
    world_model = WorldModel.load(path, device=read_device(parameters.device), dtype=parameters.dtype)
    live = LiveModel(world_model, parameters.live, parameters.objective)
    live.warm_up()
    return live


def _info(model: WorldModel, parameters: ModelParameters) -> ModelInfo:
    manifest, preprocessing = model.manifest, model.preprocessing
    return ModelInfo(
        name=model.name,
        sha256=model.sha256,
        family=model.family,
        tokenizer=model.tokenizer.kind,
        num_parameters=model.num_parameters,
        device=str(model.device),
        dtype=parameters.dtype,
        robot=manifest.robot,
        action_kind=ModelInfo.COMMANDS if manifest.kind == "commands" else ModelInfo.STATES,
        joint_names=list(manifest.names),
        aliases=list(manifest.aliases),
        alias_joints=list(manifest.aliases.values()),
        units=list(manifest.units),
        lower=list(manifest.lower),
        upper=list(manifest.upper),
        scale=list(manifest.scale),
        frame_rate_hz=model.frame_rate_hz,
        past_frames=model.past_frames,
        future_frames=model.future_frames,
        height=preprocessing.height,
        width=preprocessing.width,
        source_aspect=preprocessing.source_aspect,
    )
