"""The k most likely codes, and the log-probabilities of a vocabulary."""

import math

import pytest
import torch
from digit_distributions import LEVELS, brute_force, digit_log_probs

from hwm_core.models.top_codes import top_codes
from hwm_core.models.vocabulary import Vocabulary


@pytest.mark.parametrize("k", [1, 7, 50, 120, 500])
def test_the_top_codes_of_independent_digits_equal_brute_force(k) -> None:
    digits = digit_log_probs(LEVELS, 6, 5)
    codes, values = top_codes(digits, k)
    wanted = brute_force(digits, LEVELS).topk(min(k, 120), dim=-1)
    assert torch.equal(codes, wanted.indices)
    assert torch.allclose(values, wanted.values, atol=1e-5)


def test_the_top_500_of_64000_codes_equal_brute_force() -> None:
    levels = (8, 8, 8, 5, 5, 5)
    digits = digit_log_probs(levels, 3, sharpness=1.0)
    codes, values = top_codes(digits, 500)
    every = brute_force(digits, levels)
    assert torch.allclose(values, every.topk(500, dim=-1).values, atol=1e-5)
    assert torch.allclose(every.gather(-1, codes), values, atol=1e-5)
    assert all(len(set(row)) == 500 for row in codes.tolist())


def test_equally_likely_codes_are_each_returned_once() -> None:
    codes, values = top_codes([torch.zeros(level).log_softmax(-1) for level in LEVELS], 30)
    assert len(set(codes.tolist())) == 30 and torch.allclose(values, torch.full((30,), -math.log(120)))


@pytest.mark.parametrize("factorised", [True, False])
def test_a_vocabulary_ranks_the_codes_of_every_site_by_their_log_probability(factorised) -> None:
    vocabulary = Vocabulary(LEVELS, 8, factorised=factorised, codes_per_site=2)
    logits = torch.randn(3, sum(vocabulary.digits), generator=torch.Generator().manual_seed(1))
    codes, values = vocabulary.top_codes(logits, 120)
    assert codes.shape == values.shape == (3, 2, 120)
    assert torch.allclose(values.exp().sum(-1), torch.ones(3, 2), atol=1e-5)
    assert (values.diff(dim=-1) <= 0).all()
    for rank in (0, 60, 119):
        assert torch.allclose(vocabulary.log_prob(logits, codes[..., rank]), values[..., rank], atol=1e-5)


def test_log_probabilities_agree_with_the_training_loss() -> None:
    vocabulary = Vocabulary(LEVELS, 8, factorised=True)
    vocabulary.reset_parameters("fan_in")
    hidden = torch.randn(40, 8, generator=torch.Generator().manual_seed(2))
    tokens = torch.randint(120, (40, 1), generator=torch.Generator().manual_seed(3))
    loss, _ = vocabulary.cross_entropy(hidden, tokens)
    found = -vocabulary.log_prob(vocabulary.head(hidden), tokens).mean()
    assert found.item() == pytest.approx(loss.item(), rel=1e-5)
