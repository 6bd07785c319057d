"""The Top-k cross-entropy of the 1X compression challenge."""

import math

import pytest
import torch
from digit_distributions import LEVELS, brute_force, digit_log_probs

from hwm_core.metrics.tokens import NOTHING, top_cross_entropy
from hwm_core.models.top_codes import top_codes


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
