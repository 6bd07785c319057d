"""The `Dynamics` protocol of planning, implemented with a world model."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hwm_core.planning.costs.base import no_tokens
from hwm_core.planning.dynamics import Goal
from hwm_core.rng.candidates import CandidateGenerator, sample_seed
from hwm_core.sampling.config import Sampling
from hwm_core.sampling.predictor import TokenPredictor
from hwm_core.types import Rollout
from hwm_core.world_model.memory import bytes_per_candidate
from hwm_core.world_model.model import WorldModel
from hwm_core.world_model.past import Past

# Change of the cell that changes most, in variances of the goal's latent. Noise of 4 of 255 levels gives up to 0.3 with
# the shipped tokenizers, the smallest push of the simulated tasks 2.5.
_NOISE = 0.5


class WorldModelDynamics:
    """Rolls out candidates over the model's own future, all with one seed: they differ only by their actions.

    Args:
        world_model: predicts and decodes.
        sampling: how futures are sampled; default: one pass.
        seed: seed of every rollout.
        memory: bytes that a rollout may use beside weights and past; more candidates are rolled out in parts.
        approximate: leave out latents that are not needed even where the others attend to them. `hwm bench speed` tells
            whether a model still ranks as before. Without, only models that predict each latent on its own leave out.
        before_pass: called before each part of a rollout; an exception that it raises ends the rollout.
    """

    def __init__(
        self,
        world_model: WorldModel,
        *,
        sampling: Sampling | None = None,
        seed: int = 0,
        memory: int = 2**31,
        approximate: bool = False,
        before_pass: Callable[[], None] = lambda: None,
    ) -> None:
        self.world_model, self.sampling, self.seed, self.memory = world_model, sampling or Sampling(), seed, memory
        self._before_pass = before_pass
        self._approximate = approximate
        self._leaves_out = approximate or world_model.model.separate_latents

    @property
    def num_joints(self) -> int:
        return self.world_model.manifest.dim

    @property
    def horizon_frames(self) -> int:
        return self.world_model.future_frames

    @cached_property
    def encoder(self) -> str:
        """The sha256 of the tokenizer's encoder: only latents of the same encoder can be compared."""
        spec = self.world_model.checkpoint.tokenizer_spec
        return "" if spec is None else spec.sha256 or ""

    def recent_actions(self, past: Past) -> Tensor:
        return past.actions[0, -2:]

    def goal(self, image: NDArray[np.uint8], start: NDArray[np.uint8] | None = None) -> Goal:
        model, codes = self.world_model, self.world_model.still_codes(image)
        latent = self._latent(codes)
        before = None if start is None else self.still(start)
        if before is not None:  # a scene that differs from the goal by noise alone is the goal
            change = (latent - before).square().mean(dim=-1).max()
            before = torch.where(change < _NOISE * latent.var(), latent, before)
        return Goal(
            model.to_video(image[None, None])[0, 0],
            latent,
            before,
            codes if model.tokenizer.codes == "discrete" else None,
            self.encoder,
        )

    def still(self, image: NDArray[np.uint8]) -> Tensor:
        """Latent [h, w, C] of a scene in which nothing moves, uint8 [H, W, 3] RGB, preprocessed."""
        return self._latent(self.world_model.still_codes(image))

    def rollout(self, past: Past, candidates: Tensor, last_latents: int | None = None) -> Rollout:
        total = self.world_model.model.config.num_future_latents
        num_latents = min(last_latents, total) if last_latents is not None and self._leaves_out else total
        return self._predicted(past, candidates, num_latents, self.sampling, self.seed)

    def uncertainty(self, past: Past, rollout: Rollout, samples: int, steps: int) -> Tensor:
        """As `UncertainDynamics.uncertainty`: the entropy of tokens, or the variance of sampled latents."""
        if isinstance(self.world_model.predictor, TokenPredictor):
            return self._token_scores(self.world_model.predictor, past, rollout, None)
        actions, num_latents = _actions_of(rollout), rollout.latents.shape[1]
        sampling = self.sampling.model_copy(update={"steps": steps})
        seeds = [sample_seed(self.seed, 1 + sample) for sample in range(samples)]
        futures = [self._predicted(past, actions, num_latents, sampling, seed).latents for seed in seeds]
        return torch.stack(futures).var(dim=0).mean(dim=-1)

    def goal_surprise(self, past: Past, rollout: Rollout, goal: Goal) -> Tensor:
        """As `TokenDynamics.goal_surprise`. Raises BadConfig for a model or a goal without tokens."""
        if goal.tokens is None or not isinstance(self.world_model.predictor, TokenPredictor):
            no_tokens()
        return self._token_scores(self.world_model.predictor, past, rollout, goal.tokens)

    def at_steps(self, steps: int) -> "WorldModelDynamics":
        """As `GradedDynamics.at_steps`. With no fewer steps, latents that are not needed are left out instead."""
        sampling = self.sampling.model_copy(update={"steps": steps})
        approximate = self._approximate or steps >= self.sampling.steps
        return WorldModelDynamics(
            self.world_model,
            sampling=sampling,
            seed=self.seed,
            memory=self.memory,
            approximate=approximate,
            before_pass=self._before_pass,
        )

    def batch(self, num_latents: int) -> int:
        """How many candidates of `num_latents` latents are rolled out at once: as compiled, or within the memory."""
        if self.world_model.compiled_batch is not None:
            return self.world_model.compiled_batch
        return max(1, self.memory // bytes_per_candidate(self.world_model.model, num_latents, self.world_model.dtype))

    def decode(self, past: Past, rollout: Rollout) -> Tensor:
        return self.world_model.decode(past, rollout)

    def _predicted(
        self, past: Past, candidates: Tensor, num_latents: int, sampling: Sampling, seed: int | Sequence[int]
    ) -> Rollout:
        """The last latents of the future, in parts."""
        model, count, parts = self.world_model, len(candidates), []
        generator, skip = CandidateGenerator(seed, model.device), model.model.config.num_future_latents - num_latents
        for part in self._parts(candidates, num_latents):
            parts.append(
                model.predict(past, part, num_latents=num_latents, sampling=sampling, generator=generator, skip=skip)
            )
            generator = generator.further()
        rollout = Rollout.batched(parts)
        tokens = None if rollout.tokens is None else rollout.tokens[:count]
        return replace(rollout, latents=rollout.latents[:count], tokens=tokens, actions=candidates)

    def _token_scores(self, predictor: TokenPredictor, past: Past, rollout: Rollout, tokens: Tensor | None) -> Tensor:
        """As `TokenPredictor.token_scores`, of the latents of a rollout, in parts."""
        model, actions, num_latents = self.world_model, _actions_of(rollout), rollout.latents.shape[1]
        with model.autocast(), torch.set_grad_enabled(actions.requires_grad):
            scores = [
                predictor.token_scores(
                    past.encoded,
                    model.normalised(part),
                    num_latents=num_latents,
                    tokens=tokens,
                    skip=rollout.first_latent,
                )
                for part in self._parts(actions, num_latents)
            ]
        return torch.cat(scores)[: len(actions)].float()

    def _parts(self, candidates: Tensor, num_latents: int) -> Iterator[Tensor]:
        """Candidates in parts; of a compiled model all have one size, so the last may repeat a candidate."""
        batch, candidates = self.batch(num_latents), candidates.to(self.world_model.device)
        if self.world_model.compiled_batch is not None:
            candidates = torch.cat([candidates, candidates[-1:].expand(-len(candidates) % batch, -1, -1)])
        for part in candidates.split(batch):
            self._before_pass()
            yield part

    def _latent(self, codes: Tensor) -> Tensor:
        """The latent [H, W, C] of codes [H, W(, C)]."""
        with torch.no_grad(), self.world_model.autocast():
            return self.world_model.tokenizer.embed(codes[None, None])[0, 0].float()


def _actions_of(rollout: Rollout) -> Tensor:
    assert rollout.actions is not None, "a rollout of these dynamics"
    return rollout.actions
