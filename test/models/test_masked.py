"""The masked family: exact caching latent by latent, dropped actions, corruption and masks."""

import pytest
import torch
from masked_models import FACTOR, PAST, VARIANTS, clip, model

from hwm_core.models.corruption import corrupt, future_mask
from hwm_core.sampling.masked_forward import CachedForward, UncachedForward


@pytest.mark.parametrize("points", [0, 3])
@pytest.mark.parametrize("patch", [1, 2])
@pytest.mark.parametrize("vocabulary", ["flat", "factorised"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_cached_logits_equal_uncached_ones_for_every_candidate_and_latent(
    variant: str, vocabulary: str, patch: int, points: int
) -> None:
    net = model(variant, vocabulary=vocabulary, patch=patch, grid=(2 * patch, 3 * patch), action_points=points)
    generator = torch.Generator().manual_seed(3)
    sites = torch.randint(20, (3, 5, 2, 3, patch**2), generator=generator)
    actions = torch.randn(3, 17, 3, generator=generator)
    sites[:, :PAST], actions[:, : 1 + FACTOR] = sites[:1, :PAST], actions[:1, : 1 + FACTOR]  # 3 candidates share it
    past = sites[:1, :PAST]
    with torch.no_grad():
        cached = CachedForward(net, net.append(past, actions[:1, : 1 + FACTOR]), actions[:, 1 + FACTOR :])
        full = UncachedForward(net, past, actions, candidates=3)
        masked = torch.full_like(sites[:, :1], net.vocabulary.mask_token)
        for latent in range(PAST, 5):
            torch.testing.assert_close(cached.hidden(masked), full.hidden(masked), rtol=0, atol=2e-5)
            cached.append(sites[:, latent : latent + 1])
            full.append(sites[:, latent : latent + 1])


@pytest.mark.parametrize("points", [0, 3])
def test_dropped_actions_have_no_effect(points: int) -> None:
    net, (tokens, actions) = model("base", action_points=points), clip()
    dropped = torch.tensor([True])
    with torch.no_grad():
        assert torch.equal(net(tokens, actions, dropped), net(tokens, actions + 1, dropped))
        assert torch.equal(net(tokens, actions, dropped), net(tokens, None))


def test_corruption_replaces_at_most_its_rate_in_past_and_future() -> None:
    tokens = torch.zeros(200, 3, 8, 8, dtype=torch.long)
    corrupted = corrupt(tokens, 0.2, 1000, torch.Generator().manual_seed(0))
    share = (corrupted != tokens).float().mean((2, 3))  # per sample and latent
    # u ~ U(0,1): the mean rate is 0.1 (standard error over 200 samples 0.004); 64 draws at rate 0.2 stay below 0.45.
    assert abs(share.mean().item() - 0.1) < 0.02 and share.max() < 0.45 and (share.mean(0) > 0.05).all()


def test_mask_rates_follow_the_cosine_and_are_independent_per_latent() -> None:
    masked = future_mask(torch.zeros(4000, 2, 8, 8), 0.0, torch.Generator().manual_seed(0)).float().mean((2, 3))
    # E[cos(pi/2 u)] = 2/pi = 0.637; the two latents of a sample are independent.
    assert abs(masked.mean().item() - 0.637) < 0.01
    assert abs(torch.corrcoef(masked.T)[0, 1].item()) < 0.06
