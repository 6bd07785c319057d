"""The interface between a world model and a model family: encode the past, sample the future."""

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

from torch import Tensor

from hwm_core.rng.candidates import CandidateGenerator
from hwm_core.sampling.config import Sampling
from hwm_core.sampling.order import Uniform
from hwm_core.types import Rollout

RevealCallback = Callable[[int, Tensor, Tensor], None]
"""Receives at each step: index of the first latent, hidden states [S, n, h, w, D], new sites bool [S, n, h, w]."""


class Predictor(Protocol):
    """Samples futures of at most the model's own length. Actions are normalised and cover whole latents."""

    def observe(self, codes: Tensor, actions: Tensor) -> Any:
        """Encode B pasts, once for all their rollouts.

        Args:
            codes: output of the tokenizer's `encode`, [B, T_past, ...].
            actions: [B, F_past, A].
        """
        ...

    def predict(
        self,
        past: Any,
        actions: Tensor | None,
        *,
        candidates: int,
        num_latents: int,
        sampling: Sampling,
        generator: CandidateGenerator,
        skip: int = 0,
    ) -> Rollout:
        """Sample `num_latents` latents of each candidate.

        Args:
            past: output of `observe`, for one past (shared by all candidates) or one past per candidate.
            actions: [S, F_future, A] over the model's whole future; None drops past and future actions.
            candidates: S.
            num_latents: latents to predict, after the skipped ones.
            sampling: how they are sampled.
            generator: source of the random numbers; its state advances.
            skip: earlier latents of the future that are left out. Exact where latents are predicted on their own;
                otherwise an approximation: the others attend to the actions of these latents, but not to their video.
                A masked model that samples latent by latent computes them.
        """
        ...

    def compile(self, mode: str) -> None:
        """Compile the network's prediction with `torch.compile`, as one graph, at its next use with each batch size.

        Args:
            mode: of `torch.compile`; "reduce-overhead" records CUDA graphs.

        Raises:
            BadConfig: the past cannot be cached exactly.
        """
        ...

    def varies(self, sampling: Sampling) -> bool:
        """Whether another seed gives another future."""
        ...


@runtime_checkable
class TokenPredictor(Predictor, Protocol):
    """A predictor of distributions of tokens. Families derive from it: `predict` is `decode` for all of them."""

    def predict(
        self,
        past: Any,
        actions: Tensor | None,
        *,
        candidates: int,
        num_latents: int,
        sampling: Sampling,
        generator: CandidateGenerator,
        skip: int = 0,
    ) -> Rollout:
        return self.decode(
            past,
            actions,
            candidates=candidates,
            num_latents=num_latents,
            sampling=sampling,
            uniform=generator.uniform,
            skip=skip,
        )

    def token_scores(
        self, past: Any, actions: Tensor, *, num_latents: int, tokens: Tensor | None, skip: int = 0
    ) -> Tensor:
        """How sure the model is of each token, or how likely given tokens are, [S, num_latents, h, w].

        Args:
            past, actions, num_latents, skip: as for `predict`.
            tokens: int64 [h, w], whose negative log-likelihood is returned; None: the entropy of the distributions.
                Both are shares of the logarithm of the codebook: 1 is a uniform distribution.
        """
        ...

    def decode(
        self,
        past: Any,
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
        """As `predict`, and tell from which hidden states each token is sampled.

        Args:
            uniform: returns samples of U(0,1) of a given shape.
            on_reveal: receives the hidden states from which each site is sampled.
            truth: tokens [S, T, h, w, P] that later latents attend to instead of the sampled ones (teacher forcing over
                time). The latents are then decoded one by one.
        """
        ...
