"""What hidden states say about the tokens of their sites, in parts whose logits fit into memory."""

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from hwm_core.models.vocabulary import SampledTokens, Vocabulary
from hwm_core.sampling.order import Uniform


def sample_sites(vocabulary: Vocabulary, hidden: Tensor, temperature: float, uniform: Uniform) -> SampledTokens:
    """Sample the tokens of every site of hidden states [S, n, h, w, D]; `temperature` as for `Vocabulary.sample`."""
    draws = [vocabulary.sample(vocabulary.head(part), temperature, uniform) for part in _by_sites(vocabulary, hidden)]
    tokens, log_prob, latents = (
        torch.cat([getattr(draw, name) for draw in draws], dim=1).unflatten(1, hidden.shape[1:4])
        for name in ("tokens", "log_prob", "latents")
    )
    return SampledTokens(tokens, log_prob, latents)


def mean_of_sites(vocabulary: Vocabulary, hidden: Tensor) -> Tensor:
    """Mean latents [S, n, h, w, P, C] of hidden states [S, n, h, w, D]; no code is chosen."""
    means = [vocabulary.expected_latents(vocabulary.head(part)) for part in _by_sites(vocabulary, hidden)]
    return torch.cat(means, dim=1).unflatten(1, hidden.shape[1:4])


def scores_of_sites(vocabulary: Vocabulary, hidden: Tensor, tokens: Tensor | None) -> Tensor:
    """Scores [S, n, h, w, P] of hidden states [S, n, h, w, D], as shares of the log of the codebook.

    `tokens` [h, w, P]: their negative log-likelihood is returned; None: the entropy.
    """
    wanted = None if tokens is None else tokens.expand(*hidden.shape[:-1], -1).flatten(1, 3)
    scores, first = [], 0
    for part in _by_sites(vocabulary, hidden):
        logits, last = vocabulary.head(part), first + part.shape[1]
        if wanted is None:
            scores.append(vocabulary.entropy(logits))
        else:
            scores.append(-vocabulary.log_prob(logits, wanted[:, first:last]))
        first = last
    return torch.cat(scores, dim=1).unflatten(1, hidden.shape[1:4]) / math.log(vocabulary.size)


def _by_sites(vocabulary: Vocabulary, hidden: Tensor) -> Iterator[Tensor]:
    """Hidden states [S, n, h, w, D] in parts [S, sites, D] whose logits fit into memory."""
    yield from hidden.flatten(1, 3).split(vocabulary.sites_at_once(len(hidden)), dim=1)
