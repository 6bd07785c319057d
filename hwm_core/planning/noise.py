"""Noise that is correlated in time: it moves an arm, but white noise only shakes the arm."""

import torch
from torch import Tensor


def coloured_noise(shape: tuple[int, int, int], exponent: float, generator: torch.Generator) -> Tensor:
    """Gaussian noise [S, K, D] of unit variance, as in iCEM (Pinneri et al. 2020, arXiv 2008.06389).

    Its power falls as 1 / f ** exponent over the K steps: 0 is white noise, 1 pink, 2 red.
    """
    white = torch.randn(shape, generator=generator, device=generator.device)
    if exponent == 0:
        return white
    steps = shape[1]
    frequency = torch.fft.rfftfreq(steps, device=white.device)
    amplitude = frequency.clamp(min=1 / steps) ** (-exponent / 2)  # the mean has the amplitude of the lowest frequency
    filtered: Tensor = torch.fft.irfft(torch.fft.rfft(white, dim=1) * amplitude[:, None], n=steps, dim=1)
    # The variance is the mean power over the two-sided spectrum; irfft counts the inner frequencies twice.
    times = torch.full_like(amplitude, 2.0)
    times[0] = 1.0
    if steps % 2 == 0:
        times[-1] = 1.0
    variance = (amplitude.square() * times).sum() / steps
    return filtered / variance.sqrt()
