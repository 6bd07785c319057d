"""Rank the codes of every future token with a model of tokens."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hwm_core.challenge.grid_samples import GridSample, token_network
from hwm_core.challenge.submission import ArchiveLayout
from hwm_core.metrics.tokens import TOP
from hwm_core.precision import autocast
from hwm_core.sampling.config import Sampling
from hwm_core.sampling.predictor import TokenPredictor
from hwm_core.world_model.checkpoint import Checkpoint
from hwm_core.world_model.registry import family

_NO_ACTIONS = ("none", "teacher_forced_no_actions")  # past actions are dropped too
_CHUNK = 1024  # sites that are ranked at once: 64,000 logits each take 262 MB


@dataclass(frozen=True)
class TopCodes:
    """The k likeliest codes of each future token, for B samples."""

    codes: Tensor  # int32 [B, T, H, W, k], the likeliest first
    log_probs: Tensor  # float32 [B, T, H, W, k]
    of_truth: Tensor | None  # float32 [B, T, H, W] log-probability of the true codes


class Compressor:
    """Predicts the code distributions of future tokens.

    Args:
        sampling: MaskGIT settings of a masked model. `parallel` predicts all grids from the past alone; otherwise, and
            with an ST-Transformer, each grid attends to the sampled tokens of the grids before it. A token's
            distribution comes from the step that decides it.
        top: k, the number of codes to rank.
        dtype: of the autocast. bfloat16 lowered the winners' accuracy (arXiv 2510.07092, section 3.2).

    Raises:
        BadCheckpoint: the model predicts no tokens.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        *,
        sampling: Sampling | None = None,
        seed: int = 0,
        top: int = TOP,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.checkpoint, self.manifest = checkpoint, checkpoint.manifest
        self.model = token_network(checkpoint.model)
        self.config = self.model.config
        self.sampling, self.seed, self.dtype = sampling or Sampling(), seed, dtype
        self.vocabulary = math.prod(self.config.levels)
        self.top = min(top, self.vocabulary)
        self.device = next(self.model.parameters()).device
        predictor = family(checkpoint.family).predictor(self.model)
        assert isinstance(predictor, TokenPredictor)
        self._observe, self._decode = predictor.observe, predictor.decode

    @property
    def layout(self) -> ArchiveLayout:
        """The layout of the archive of these predictions."""
        return ArchiveLayout(self.config.num_future_latents, *self.config.grid, self.vocabulary, self.top)

    @torch.inference_mode()
    def predict(self, samples: Sequence[GridSample], condition: str = "model") -> TopCodes:
        """Rank the codes of every future token. `of_truth` is given if every sample has its true tokens.

        Args:
            condition: "model", "none", "teacher_forced" or "teacher_forced_no_actions" (`compression_scores`).
        """
        past_frames = self.config.past_frames
        past_codes = self._codes([sample.past for sample in samples])
        truths = [sample.truth for sample in samples if sample.truth is not None]
        truth = self.model.to_sites(self._codes(truths)) if len(truths) == len(samples) else None
        actions = self.manifest.normalise(torch.from_numpy(np.stack([sample.actions for sample in samples])))
        actions = actions.to(self.device)
        generator = torch.Generator(self.device).manual_seed(self.seed + samples[0].number)
        with autocast(self.device, self.dtype):
            known = self._observe(past_codes, actions[:, :past_frames])
            future_actions = None if condition in _NO_ACTIONS else actions[:, past_frames:]
            recorder = _Recorder(self, len(samples), truth)
            self._decode(
                known,
                future_actions,
                candidates=len(samples),
                num_latents=self.config.num_future_latents,
                sampling=self.sampling,
                uniform=lambda shape: torch.rand(shape, generator=generator, device=self.device),
                on_reveal=recorder,
                truth=truth if condition.startswith("teacher_forced") else None,
            )
        return recorder.result()

    def _codes(self, grids: Sequence[NDArray[np.int64]]) -> Tensor:
        return torch.from_numpy(np.stack(grids)).to(self.device)


class _Recorder:
    """Ranks the codes of each site in the step that decides it."""

    def __init__(self, compressor: Compressor, batch: int, truth: Tensor | None) -> None:
        self._model, self._top, self._truth = compressor.model, compressor.top, truth
        config = compressor.config
        sites = (batch, config.num_future_latents, *config.sites, config.patch**2)
        self._codes = torch.zeros(*sites, self._top, dtype=torch.int32)
        self._log_probs = torch.zeros(*sites, self._top)
        self._of_truth = None if truth is None else torch.zeros(sites)

    def __call__(self, first: int, hidden: Tensor, fresh: Tensor) -> None:
        """Rank the sites that this step decides.

        Args:
            first: index of the first latent of `hidden`.
            hidden: hidden states [B, T, h, w, D] of all sites.
            fresh: bool, the sites that this step decides.
        """
        latents = slice(first, first + hidden.shape[1])
        for chunk in fresh.nonzero().split(_CHUNK):
            index = chunk.unbind(-1)
            site_logits = self._model.vocabulary.head(hidden[index])
            codes, log_probs = self._model.vocabulary.top_codes(site_logits, self._top)
            on_cpu = tuple(part.cpu() for part in index)
            self._codes[:, latents][on_cpu] = codes.to("cpu", torch.int32)
            self._log_probs[:, latents][on_cpu] = log_probs.cpu()
            if self._truth is not None and self._of_truth is not None:
                of_truth = self._model.vocabulary.log_prob(site_logits, self._truth[:, latents][index])
                self._of_truth[:, latents][on_cpu] = of_truth.cpu()

    def result(self) -> TopCodes:
        """The ranked codes, on the grid of tokens."""
        grid = self._model.to_grid
        of_truth = None if self._of_truth is None else grid(self._of_truth)
        return TopCodes(grid(self._codes), grid(self._log_probs), of_truth)
