"""The ways to score candidates whose speed is compared: the slow one, the naive one, and what makes it faster."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from hwm_core.errors import BadCheckpoint
from hwm_core.evaluation.speed.scene import Scene
from hwm_core.planning.costs.objective import Objective
from hwm_core.planning.halving import Halving
from hwm_core.planning.joint_space import JointSpace
from hwm_core.precision_name import Precision
from hwm_core.sampling.config import Sampling
from hwm_core.types import Rollout
from hwm_core.world_model.dynamics import WorldModelDynamics
from hwm_core.world_model.model import WorldModel
from hwm_core.world_model.past import Past

Score = Callable[[Scene, int], Tensor]
"""Costs [S] of the first S candidates of a scene, from its images on."""


@dataclass(frozen=True)
class SpeedSetting:
    """One row of the table."""

    summary: str
    dtype: Precision = "auto"
    whole: bool = False  # predict all latents, even where those that the costs need are predicted on their own
    alone: bool = False  # one candidate at a time, its past encoded and its future decoded each time
    approximate: bool = False  # leave out latents that no cost needs, even where the others attend to them
    memory: int = 2**31  # bytes of a rollout
    compile: bool = False
    halving: tuple[int, ...] = ()  # steps of the cheaper predictions that screen the candidates
    kept: float = 1.0  # share that each of them passes on


SLOW, NAIVE = "float32", "naive"
SETTINGS: Mapping[str, SpeedSetting] = {
    SLOW: SpeedSetting("all candidates in one batch, every latent, float32", dtype="float32", whole=True),
    NAIVE: SpeedSetting("one candidate at a time, encoded and decoded each, float32", "float32", True, alone=True),
    "precision": SpeedSetting("as float32, in the precision that the device computes fastest in", whole=True),
    "parts": SpeedSetting("as precision, in parts of 32 MB", whole=True, memory=2**25),
    "exact": SpeedSetting("as precision, without latents that neither a cost nor another latent needs"),
    "last latents": SpeedSetting("as precision, without latents that no cost needs", approximate=True),
    "last latents, in parts": SpeedSetting("as the last latents, in parts of 32 MB", approximate=True, memory=2**25),
    "halving": SpeedSetting(
        "as exact, only the better half by a prediction of one step, or without unneeded latents",
        halving=(1,),
        kept=0.5,
    ),
    "quarter": SpeedSetting("as halving, the better quarter", halving=(1,), kept=0.25),
    "compiled": SpeedSetting(
        "as precision, without latents that no cost needs, compiled", approximate=True, compile=True
    ),
}


class _WholeFuture(WorldModelDynamics):
    """Predicts every latent, whatever is needed."""

    def rollout(self, past: Past, candidates: Tensor, last_latents: int | None = None) -> Rollout:
        return super().rollout(past, candidates)


class _Decoded(_WholeFuture):
    """Decodes every frame of every future too."""

    def rollout(self, past: Past, candidates: Tensor, last_latents: int | None = None) -> Rollout:
        rollout = super().rollout(past, candidates)
        return replace(rollout, video=self.decode(past, rollout))


def make_score(
    setting: SpeedSetting,
    checkpoint: Path,
    device: torch.device,
    objective: Objective,
    sampling: Sampling,
    max_velocity: float,
    sha256: str,
) -> Score:
    """Load the checkpoint as the setting asks, and return what scores with it.

    Raises:
        BadCheckpoint: the checkpoint cannot be loaded, or has another `sha256` by now.
        BadConfig: a model that cannot be compiled.
    """
    world = WorldModel.load(checkpoint, device=device, dtype=setting.dtype)
    if world.sha256 != sha256:
        raise BadCheckpoint(
            str(checkpoint),
            expected="one checkpoint for all settings",
            got="another one: it was replaced during the measurement",
            remedy="Copy the checkpoint and measure the copy.",
        )
    if setting.compile:
        world.compile()
    kind: type[WorldModelDynamics] = WorldModelDynamics
    if setting.whole:
        kind = _Decoded if setting.alone else _WholeFuture
    dynamics = kind(world, sampling=sampling, memory=setting.memory, approximate=setting.approximate)
    space = JointSpace.from_manifest(world.manifest, world.frame_rate_hz, max_velocity, device)
    scorer: Halving[Any] = Halving(dynamics, objective, space, setting.halving, setting.kept)

    @torch.inference_mode()
    def together(scene: Scene, count: int) -> Tensor:
        past = world.observe(scene.frames, scene.actions)
        goal = dynamics.goal(scene.goal, scene.frames[-1])
        return scorer.costs(past, goal, torch.from_numpy(scene.candidates[:count]).to(device))

    @torch.inference_mode()
    def alone(scene: Scene, count: int) -> Tensor:
        return torch.cat([together(replace(scene, candidates=scene.candidates[i:]), 1) for i in range(count)])

    return alone if setting.alone else together
