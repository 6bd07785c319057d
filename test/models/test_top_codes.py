"""The most likely codes under a model, and their Top-k cross-entropy (1X compression challenge)."""

import math

import pytest
import torch

from hwm_core.metrics.tokens import NOTHING, top_cross_entropy
from hwm_core.models.top_codes import top_codes
from hwm_core.models.vocabulary import Vocabulary
from hwm_core.tokenizers.fsq import codes_to_digits

LEVELS = (4, 3, 5, 2)  # 120 codes


def digit_log_probs(levels, *shape: int, seed: int = 0, sharpness: float = 2.0) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [(sharpness * torch.randn(*shape, level, generator=generator)).log_softmax(-1) for level in levels]


def brute_force(digits: list[torch.Tensor], levels) -> torch.Tensor:
    """Log-probability of every code, [..., codebook]."""
    of_codes = codes_to_digits(torch.arange(math.prod(levels)), levels)
    return torch.stack([part[..., of_codes[:, i]] for i, part in enumerate(digits)]).sum(0)


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


def test_top_cross_entropy_of_a_known_case() -> None:
    # Ten codes; the two likeliest have 1/2 and 1/4. A code outside gets an eighth of the last quarter, 1/32.
    codes, values = torch.tensor([[3, 7]] * 3), torch.tensor([[0.5, 0.25]] * 3).log()
    found = top_cross_entropy(codes, values, torch.tensor([3, 7, 9]), 10)
    assert found.ce == pytest.approx((math.log(2) + math.log(4) + math.log(32)) / 3)
    assert (found.hits, found.hit_rate, found.accuracy) == (2, pytest.approx(2 / 3), pytest.approx(1 / 3))
    # of the two alone: 2/3 and 1/3
    assert found.ce_of_hits == pytest.approx((math.log(1.5) + math.log(3)) / 2)


def test_the_top_cross_entropy_of_all_codes_is_the_cross_entropy() -> None:
    digits = digit_log_probs(LEVELS, 30)
    truth = torch.randint(120, (30,), generator=torch.Generator().manual_seed(4))
    found = top_cross_entropy(*top_codes(digits, 120), truth, 120)
    assert found.ce == pytest.approx(float(-brute_force(digits, LEVELS).gather(-1, truth[:, None]).mean()), rel=1e-5)
    assert found.hit_rate == 1.0


def test_the_cross_entropy_of_a_uniform_distribution_is_the_logarithm_of_the_codebook_size() -> None:
    even = [torch.zeros(50, level).log_softmax(-1) for level in LEVELS]
    truth = torch.arange(50)
    assert top_cross_entropy(*top_codes(even, 30), truth, 120).ce == pytest.approx(math.log(120), rel=1e-4)


def test_scores_of_parts_add_up_to_the_score_of_the_whole() -> None:
    digits = digit_log_probs(LEVELS, 30)
    codes, values = top_codes(digits, 20)
    truth = torch.randint(120, (30,), generator=torch.Generator().manual_seed(5))
    parts = [top_cross_entropy(codes[some], values[some], truth[some], 120) for some in (slice(0, 11), slice(11, 30))]
    whole = top_cross_entropy(codes, values, truth, 120)
    assert vars(sum(parts, NOTHING)) == pytest.approx(vars(whole))
    assert math.isnan(NOTHING.ce) and math.isnan(NOTHING.ce_of_hits)
