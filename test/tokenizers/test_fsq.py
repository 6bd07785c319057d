"""Finite scalar quantisation: codes, digits, latents."""

import pytest
import torch

from hwm_core.tokenizers import fsq

LEVELS = (8, 8, 8, 5, 5, 5)


def test_every_code_survives_the_round_trip_through_digits_and_latents():
    codes = torch.arange(fsq.codebook_size(LEVELS))
    digits = fsq.codes_to_digits(codes, LEVELS)
    assert torch.equal(fsq.digits_to_codes(digits, LEVELS), codes)
    assert torch.equal(fsq.latents_to_digits(fsq.digits_to_latents(digits, LEVELS), LEVELS), digits)


def test_digit_zero_is_the_fastest():
    # Cosmos' basis for these levels is (1, 8, 64, 512, 2560, 12800), so 3 + 2 * 8 + 4 * 12800 = 51219.
    assert fsq.codes_to_digits(torch.tensor(51219), LEVELS).tolist() == [3, 2, 0, 0, 0, 4]


def test_digit_values_span_minus_one_to_one_and_agree_with_the_latents():
    for dimension, values in enumerate(fsq.digit_values(LEVELS)):
        digits = torch.zeros(LEVELS[dimension], len(LEVELS), dtype=torch.long)
        digits[:, dimension] = torch.arange(LEVELS[dimension])
        assert values[0] == -1.0 and values[-1] == 1.0
        torch.testing.assert_close(values, fsq.digits_to_latents(digits, LEVELS)[:, dimension])


def test_quantised_latents_lie_exactly_on_the_grid():
    latents = fsq.quantise(3.0 * torch.randn(1000, 6, generator=torch.Generator().manual_seed(0)), LEVELS)
    on_grid = fsq.digits_to_latents(fsq.latents_to_digits(latents, LEVELS), LEVELS)
    assert torch.equal(latents, on_grid)


def test_the_gradient_ignores_the_rounding():
    unbounded = torch.linspace(-2.0, 2.0, 12).reshape(2, 6).requires_grad_()
    fsq.quantise(unbounded, LEVELS).sum().backward()
    torch.testing.assert_close(unbounded.grad, 1.0 - torch.tanh(unbounded.detach()) ** 2)


@pytest.mark.parametrize("level", [2, 5, 8])
def test_every_level_is_reachable(level):
    latents = fsq.quantise(torch.linspace(-4.0, 4.0, 1000)[:, None], (level,))
    assert len(latents.unique()) == level
