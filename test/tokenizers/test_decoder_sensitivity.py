"""What a channel is worth in pixels, and the loss that goes by it."""

from types import SimpleNamespace

import torch
from eight_models import Case
from torch import Tensor

from hwm_core.tokenizers.decoder_sensitivity import channel_sensitivity

GAINS = torch.tensor([2.0, 1.0, 0.0])


def painter(codes: Tensor) -> Tensor:
    """Frames [B, T, 1, h, w] that are a sum of the channels, some louder than others."""
    return (codes * GAINS).sum(-1)[:, :, None]


def test_a_channels_worth_is_the_square_of_its_gain_and_their_mean_is_one() -> None:
    codes = torch.randn(4, 3, 32, 32, 3, generator=torch.Generator().manual_seed(0))
    worth = channel_sensitivity(SimpleNamespace(decode=painter), codes, torch.Generator().manual_seed(1))
    torch.testing.assert_close(worth, 3 * GAINS.square() / 5, rtol=0.05, atol=0)  # noise on 12,288 cells


def test_the_codes_that_worth_is_measured_on_are_left_as_they_are() -> None:
    codes = torch.randn(1, 2, 4, 4, 3)
    before = codes.clone()
    channel_sensitivity(SimpleNamespace(decode=painter), codes, torch.Generator().manual_seed(1))
    assert torch.equal(codes, before)


def test_the_loss_of_what_is_weighed_by_worth_is_the_squared_error_of_the_pixels() -> None:
    case = Case("flow", "base", "full")
    net, (latents, actions) = case.build(predicts="data"), case.clip(8)
    torch.nn.init.zeros_(net.head.weight)  # says zero, so that the error is the data itself
    gains = torch.linspace(0, 2, latents.shape[-1])
    net.channel_weights.copy_(gains.square())
    pixels = (latents[:, net.config.num_past_latents :] * gains).square().mean()
    for weighed in (
        net.loss(latents, actions, torch.Generator().manual_seed(0))[0],
        net.future_loss(latents, actions, torch.Generator().manual_seed(0))["loss"],
    ):
        torch.testing.assert_close(weighed, pixels, rtol=0.1, atol=0)


def test_weights_are_no_part_of_a_checkpoint() -> None:
    net = Case("flow", "base", "full").build(predicts="data")
    assert "channel_weights" not in net.state_dict()
    assert torch.equal(net.channel_weights, torch.ones(net.config.latent_channels))
