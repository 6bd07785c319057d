"""Masked decoding (MaskGIT, arXiv 2202.04200; paper section 2.2)."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from hwm_core.models.masked import MaskedWorldModel
from hwm_core.models.vocabulary import SampledTokens, Vocabulary
from hwm_core.sampling.by_sites import mean_of_sites, sample_sites, scores_of_sites
from hwm_core.sampling.config import Sampling
from hwm_core.sampling.masked_forward import MaskedForward
from hwm_core.sampling.order import Uniform, priority, reveal, revealed_counts
from hwm_core.sampling.predictor import RevealCallback
from hwm_core.types import Rollout


def decode(
    model: MaskedWorldModel,
    forward: MaskedForward,
    candidates: int,
    num_latents: int,
    sampling: Sampling,
    uniform: Uniform,
    on_reveal: RevealCallback | None = None,
    truth: Tensor | None = None,
    skip: int = 0,
) -> Rollout:
    """Sample `num_latents` latents: one by one, or all together if `sampling.parallel`.

    Args:
        model: provides shapes and vocabulary.
        forward: computes hidden states from the past and the actions.
        candidates: S.
        uniform: returns samples of U(0,1) of a given shape.
        on_reveal: receives the hidden states from which each site is sampled.
        truth: tokens [S, T, h, w, P] that later latents attend to instead of the sampled ones (teacher forcing over
            time). The latents are then decoded one by one.
        skip: latents before these that are left out, if all are decoded together; otherwise they are not returned.
    """
    if sampling.parallel and truth is None:
        if skip:
            forward.skip(skip)
        callback = None if on_reveal is None else partial(on_reveal, skip)
        if sampling.steps == 1 and sampling.soft and callback is None:
            return Rollout(model.to_grid(_mean(model, forward, candidates, num_latents)), first_latent=skip)
        tokens, latents = _decode_together(model, forward, candidates, num_latents, sampling, uniform, callback)
        return Rollout(model.to_grid(latents), model.to_grid(tokens), first_latent=skip)
    parts: list[tuple[Tensor, Tensor]] = []
    for start in range(skip + num_latents):
        callback = None if on_reveal is None else partial(on_reveal, start)
        parts.append(_decode_together(model, forward, candidates, 1, sampling, uniform, callback))
        if start + 1 < skip + num_latents:
            forward.append(parts[-1][0] if truth is None else truth[:, start : start + 1])
    tokens, latents = (torch.cat(part, dim=1) for part in zip(*parts[skip:]))
    return Rollout(model.to_grid(latents), model.to_grid(tokens), first_latent=skip)


def _masked_tokens(model: MaskedWorldModel, candidates: int, num_latents: int) -> Tensor:
    """Tokens [S, n, h, w, P] of latents of which nothing is known."""
    shape = (candidates, num_latents, *model.config.sites, model.vocabulary.codes_per_site)
    return torch.full(shape, model.vocabulary.mask_token, device=model.device)


def _mean(model: MaskedWorldModel, forward: MaskedForward, candidates: int, num_latents: int) -> Tensor:
    """Mean latents [S, n, h, w, P, C] in one pass; no code is chosen."""
    return mean_of_sites(model.vocabulary, forward.hidden(_masked_tokens(model, candidates, num_latents)))


def token_scores(
    model: MaskedWorldModel, forward: MaskedForward, candidates: int, num_latents: int, skip: int, tokens: Tensor | None
) -> Tensor:
    """Scores [S, n, H, W] of the next latents in one pass, all of them masked, as shares of the log of the codebook.

    Args:
        model, forward, candidates, num_latents, skip: as for `decode`.
        tokens: [H, W], whose negative log-likelihood is returned; None: the entropy.
    """
    if skip:
        forward.skip(skip)
    hidden = forward.hidden(_masked_tokens(model, candidates, num_latents))
    wanted = None if tokens is None else model.to_sites(tokens)
    return model.to_grid(scores_of_sites(model.vocabulary, hidden, wanted))


def _decode_together(
    model: MaskedWorldModel,
    forward: MaskedForward,
    candidates: int,
    num_latents: int,
    sampling: Sampling,
    uniform: Uniform,
    on_reveal: Callable[[Tensor, Tensor], None] | None,
) -> tuple[Tensor, Tensor]:
    """K refinement steps over the next latents: predict every masked site, reveal the best sites, keep the rest masked.

    Returns:
        Tokens [S, n, h, w, P] and latents [S, n, h, w, P, C].
    """
    vocabulary, (height, width), known = model.vocabulary, model.config.sites, 0
    tokens = _masked_tokens(model, candidates, num_latents)
    latents = torch.zeros(*tokens.shape, len(vocabulary.levels), device=tokens.device)
    revealed = torch.zeros(tokens.shape[:-1], dtype=torch.bool, device=tokens.device)
    for count in revealed_counts(height * width, sampling.steps):
        hidden = forward.hidden(tokens)
        draw = _drawn(vocabulary, hidden, revealed, known, sampling.temperature, uniform)
        now = reveal(priority(sampling.order, draw.log_prob, sampling.temperature, uniform), revealed, count)
        if on_reveal is not None:
            on_reveal(hidden, now & ~revealed)
        fresh = (now & ~revealed)[..., None]
        tokens = torch.where(fresh, draw.tokens, tokens)
        latents = torch.where(fresh[..., None], draw.latents, latents)
        revealed, known = now, count
    return tokens, latents if sampling.soft else vocabulary.latents(tokens)


def _drawn(
    vocabulary: Vocabulary, hidden: Tensor, revealed: Tensor, known: int, temperature: float, uniform: Uniform
) -> SampledTokens:
    """Tokens of the sites that are still masked; those of the `known` revealed sites of each latent are zeros.

    Logits are computed for masked sites alone: with 64,000 codes they cost as much as several blocks.
    """
    if not known:
        return sample_sites(vocabulary, hidden, temperature, uniform)
    masked = (
        revealed.flatten(2).byte().argsort(dim=-1, stable=True)[..., : revealed[0, 0].numel() - known]
    )  # [S, n, sites]
    chosen = hidden.flatten(2, 3).gather(2, masked[..., None].expand(*masked.shape, hidden.shape[-1]))
    draw = sample_sites(vocabulary, chosen[:, :, :, None], temperature, uniform)

    def in_place(values: Tensor) -> Tensor:
        """Values [S, n, sites, ...] at their sites, [S, n, h, w, ...]."""
        at = masked.reshape(*masked.shape, *[1] * (values.ndim - 3)).expand_as(values)
        whole = values.new_zeros(*revealed.shape[:2], revealed[0, 0].numel(), *values.shape[3:])
        return whole.scatter(2, at, values).unflatten(2, revealed.shape[2:])

    return SampledTokens(*(in_place(part.squeeze(3)) for part in (draw.tokens, draw.log_prob, draw.latents)))
