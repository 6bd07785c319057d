"""Future latents that are predicted on their own, and the aids of the planning model."""

import pytest
import torch

from hwm_core.errors import BadConfig
from hwm_core.models.flow import FlowWorldModel
from hwm_core.models.flow_config import FlowConfig
from hwm_core.models.flow_loss import latents_of_step, weighted_square

PAST, FUTURE = 2, 3
SIZES = {
    "variant": "modality_shared",
    "attention": "clean_context",
    "future": "separate",
    "unshared_depth": 0,
    "dim": 24,
    "depth": 2,
    "num_heads": 2,
    "latent_channels": 3,
    "grid": [4, 4],
    "patch": 2,
    "temporal_factor": 4,
    "predicts": "data",
    "position": "rotary_and_learned",
    "modulation": "time_and_actions",
    "conv_width": 8,
    "conv_blocks": 1,
    "action_points": 5,
    "num_past_latents": PAST,
    "num_future_latents": FUTURE,
    "action_dim": 2,
}


def model(**changes: object) -> FlowWorldModel:
    """A small model with random weights everywhere: what starts as zero hides mistakes."""
    torch.manual_seed(0)
    built = FlowWorldModel(FlowConfig.parse({**SIZES, **changes}, "test")).eval()
    for parameter in built.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return built


def inputs() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Noisy future, times, past, and actions of two windows."""
    draw = torch.Generator().manual_seed(1)
    noisy, past = torch.randn(2, FUTURE, 4, 4, 3, generator=draw), torch.randn(2, PAST, 4, 4, 3, generator=draw)
    return noisy, torch.tensor([0.0, 0.4]), past, torch.randn(2, 5 + 4 * FUTURE, 2, generator=draw)


@torch.no_grad()
def test_a_latent_alone_is_predicted_exactly_as_with_the_others():
    network, (noisy, t, past, actions) = model(), inputs()
    every = network(noisy, t, past, actions)
    for latent in range(FUTURE):
        alone = network(noisy[:, [latent]], t, past, actions, latents=[latent])
        assert torch.equal(alone, every[:, [latent]])


@torch.no_grad()
def test_a_latent_does_not_depend_on_the_noise_of_another():
    network, (noisy, t, past, actions) = model(), inputs()
    other = noisy.clone()
    other[:, 0] += 1.0
    before, after = network(noisy, t, past, actions), network(other, t, past, actions)
    assert not torch.equal(before[:, 0], after[:, 0]) and torch.equal(before[:, 1:], after[:, 1:])


@torch.no_grad()
def test_with_a_cached_past_the_prediction_is_the_same():
    network, (noisy, t, past, actions) = model(), inputs()
    cache = network.prefill(past, actions[:, :5])
    assert torch.allclose(network.predict(cache, noisy, t, actions[:, 5:]), network(noisy, t, past, actions), atol=1e-5)


def test_latents_that_need_each_other_cannot_be_separate():
    with pytest.raises(BadConfig, match="clean_context"):
        model(attention="full")


def test_points_without_convolutions_are_refused():
    with pytest.raises(BadConfig, match="conv_width"):
        model(conv_width=0)


def test_training_draws_every_latent_equally_often():
    config = FlowConfig.parse({**SIZES, "latents_per_step": 1}, "test")
    draw = torch.Generator().manual_seed(0)
    drawn = [tuple(latents_of_step(config, draw)) for _ in range(300)]
    counts = [drawn.count((latent,)) for latent in range(FUTURE)]
    assert sum(counts) == 300 and min(counts) > 70


def test_training_draws_the_last_latent_more_often_where_asked():
    config = FlowConfig.parse({**SIZES, "latents_per_step": 1, "last_latent_rate": 0.4}, "test")
    draw = torch.Generator().manual_seed(0)
    drawn = [tuple(latents_of_step(config, draw)) for _ in range(300)]
    share = drawn.count((FUTURE - 1,)) / 300
    assert share == pytest.approx(0.4 + 0.6 / FUTURE, abs=0.08)


def test_the_loss_of_all_latents_is_the_mean_of_the_losses_of_each(monkeypatch: pytest.MonkeyPatch):
    network, (_, _, past, actions) = model(pure_noise_rate=1.0), inputs()
    codes = torch.cat([past, torch.randn(2, FUTURE, 4, 4, 3, generator=torch.Generator().manual_seed(2))], dim=1)

    def loss_of(latents: list[int]) -> float:
        monkeypatch.setattr("hwm_core.models.flow_matching.latents_of_step", lambda *_: latents)
        return network.loss(codes, actions, torch.Generator().manual_seed(3))[0].item()

    singles = [loss_of([latent]) for latent in range(FUTURE)]
    assert len(set(singles)) == FUTURE
    assert sum(singles) / FUTURE == pytest.approx(loss_of(list(range(FUTURE))), rel=1e-5)


def test_a_cell_that_changes_weighs_more():
    error, change = torch.ones(1, 1, 1, 2, 1), torch.tensor([0.0, 1.0]).view(1, 1, 1, 2, 1)
    error[..., 0, :] = 0.0  # the whole error is in the cell that changes
    plain = weighted_square(error, change, torch.ones(1), change_weight=0.0)
    weighted = weighted_square(error, change, torch.ones(1), change_weight=3.0)
    assert float(plain) == pytest.approx(1 / 2) and float(weighted) == pytest.approx(4 / 5)
