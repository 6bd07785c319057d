"""Futures of an ST-Transformer: latent after latent, all tokens of a latent at once."""

from dataclasses import dataclass

import torch
from torch import Tensor

from hwm_core.models.st_transformer import Choose, Step, STTransformer
from hwm_core.models.token_network import KVCache
from hwm_core.sampling.by_sites import sample_sites, scores_of_sites
from hwm_core.sampling.config import Sampling
from hwm_core.sampling.order import Uniform
from hwm_core.sampling.predictor import RevealCallback, TokenPredictor
from hwm_core.types import Rollout


@dataclass(frozen=True)
class PastGrids:
    """B pasts of an ST-Transformer."""

    tokens: Tensor  # [B, T_past, h, w, P], P codes per site
    actions: Tensor  # [B, F_past, A]
    cache: KVCache | None  # of all past latents but the newest, with actions; None if there is only one


class STPredictor(TokenPredictor):
    """Samples futures of an ST-Transformer. Every candidate samples its own tokens; temperature 0 is greedy."""

    def __init__(self, model: STTransformer) -> None:
        self.model, self.config = model, model.config
        self._step: Step = model.step

    def compile(self, mode: str) -> None:
        self._step = torch.compile(self.model.step, fullgraph=True, dynamic=False, mode=mode)

    def observe(self, codes: Tensor, actions: Tensor) -> PastGrids:
        tokens = self.model.to_sites(codes)
        return PastGrids(tokens, actions, self.model.observe(tokens, actions))

    def decode(
        self,
        past: PastGrids,
        actions: Tensor | None,
        *,
        candidates: int,
        num_latents: int,
        sampling: Sampling,
        uniform: Uniform,
        on_reveal: RevealCallback | None = None,
        truth: Tensor | None = None,
        skip: int = 0,
    ) -> Rollout:
        """As `TokenPredictor.decode`; all sites of a latent are revealed together."""
        vocabulary = self.model.vocabulary
        tokens: list[Tensor] = []
        latents: list[Tensor] = []

        def choose(hidden: Tensor) -> Tensor:
            latent = len(tokens)
            if on_reveal is not None:
                on_reveal(latent, hidden, torch.ones(hidden.shape[:-1], dtype=torch.bool, device=hidden.device))
            draw = sample_sites(vocabulary, hidden, sampling.temperature, uniform)
            tokens.append(draw.tokens)
            latents.append(draw.latents if sampling.soft else vocabulary.latents(draw.tokens))
            return draw.tokens if truth is None else truth[:, latent : latent + 1]

        self.unroll(past, actions, candidates, skip + num_latents, choose)
        found, of_found = (self.model.to_grid(torch.cat(parts[skip:], dim=1)) for parts in (latents, tokens))
        return Rollout(found, of_found, first_latent=skip)

    def token_scores(
        self, past: PastGrids, actions: Tensor, *, num_latents: int, tokens: Tensor | None, skip: int = 0
    ) -> Tensor:
        """As `TokenPredictor.token_scores`; each latent reads the likeliest tokens of the latents before it."""
        model = self.model
        wanted = None if tokens is None else model.to_sites(tokens)
        scores: list[Tensor] = []

        def choose(hidden: Tensor) -> Tensor:
            scores.append(scores_of_sites(model.vocabulary, hidden, wanted))
            return sample_sites(model.vocabulary, hidden, 0.0, torch.rand).tokens

        self.unroll(past, actions, len(actions), skip + num_latents, choose)
        return model.to_grid(torch.cat(scores[skip:], dim=1))

    def varies(self, sampling: Sampling) -> bool:
        if self.config.num_future_latents == 1 and sampling.soft:
            return False  # mean latents, which depend on no sampled token
        return sampling.temperature > 0

    def unroll(
        self, past: PastGrids, actions: Tensor | None, candidates: int, num_latents: int, choose: Choose
    ) -> None:
        """Predict latents one by one; `choose` gives the tokens of each.

        Args:
            past: of one past for all candidates, or of one past per candidate.
            actions: [S, F_future, A] over the model's whole future; None drops past and future actions.
            candidates: S.
            num_latents: latents to predict.
            choose: as for `STTransformer.unroll`.
        """
        newest = past.tokens[:, -1:].expand(candidates, *past.tokens[:, -1:].shape[1:])
        cache, window = past.cache, None
        if actions is None:
            cache = self.model.observe(past.tokens, None)
        else:
            window = torch.cat([past.actions.expand(candidates, -1, -1), actions], dim=1)
        self.model.unroll(newest, window, cache, num_latents, choose, self._step)
