"""Coloured noise: variance and correlation in time."""

import pytest
import torch

from hwm_core.planning.noise import coloured_noise


@pytest.mark.parametrize("exponent", [0.0, 1.0, 2.0])
@pytest.mark.parametrize("steps", [7, 8])
def test_coloured_noise_has_unit_variance(exponent: float, steps: int) -> None:
    noise = coloured_noise((4000, steps, 2), exponent, torch.Generator().manual_seed(0))
    assert float(noise.square().mean()) == pytest.approx(1.0, abs=0.05)


def test_red_noise_changes_slowly() -> None:
    def roughness(exponent: float) -> float:
        return float(
            coloured_noise((500, 24, 1), exponent, torch.Generator().manual_seed(0)).diff(dim=1).square().mean()
        )

    assert roughness(2.0) < 0.3 * roughness(0.0)
