"""The sensitivity of decoded pixels to each latent channel, and the loss that is weighted by it."""

from types import SimpleNamespace

import torch
from eight_models import Case
from torch import Tensor

from hwm_core.tokenizers.decoder_sensitivity import channel_sensitivity

GAINS = torch.tensor([2.0, 1.0, 0.0])


def decode(codes: Tensor) -> Tensor:
    """Frames [B, T, 1, h, w]: the sum of the channels, each times its gain."""
    return (codes * GAINS).sum(-1)[:, :, None]


def test_the_sensitivity_to_a_channel_is_the_square_of_its_gain_normalised_to_mean_one() -> None:
    codes = torch.randn(4, 3, 32, 32, 3, generator=torch.Generator().manual_seed(0))
    sensitivity = channel_sensitivity(SimpleNamespace(decode=decode), codes, torch.Generator().manual_seed(1))
    torch.testing.assert_close(sensitivity, 3 * GAINS.square() / 5, rtol=0.05, atol=0)  # noise on 12,288 cells


def test_measuring_does_not_change_the_codes() -> None:
    codes = torch.randn(1, 2, 4, 4, 3)
    before = codes.clone()
    channel_sensitivity(SimpleNamespace(decode=decode), codes, torch.Generator().manual_seed(1))
    assert torch.equal(codes, before)


def test_the_loss_weighted_by_squared_gains_is_the_squared_error_of_the_pixels() -> None:
    case = Case("flow", "base", "full")
    net, (latents, actions) = case.build(predicts="data"), case.clip(8)
    torch.nn.init.zeros_(net.head.weight)  # it predicts zero, so the error is the data
    gains = torch.linspace(0, 2, latents.shape[-1])
    net.set_channel_weights(gains.square())
    pixels = (latents[:, net.config.num_past_latents :] * gains).square().mean()
    for weighted in (
        net.loss(latents, actions, torch.Generator().manual_seed(0))[0],
        net.future_loss(latents, actions, torch.Generator().manual_seed(0))["loss"],
    ):
        torch.testing.assert_close(weighted, pixels, rtol=0.1, atol=0)


def test_channel_weights_are_not_saved() -> None:
    net = Case("flow", "base", "full").build(predicts="data")
    assert "channel_weights" not in net.state_dict()
    assert torch.equal(net.channel_weights, torch.ones(net.config.latent_channels))
