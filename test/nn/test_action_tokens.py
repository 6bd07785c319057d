"""Points that move with the actions, as a part of the tokens of sites."""

import torch

from hwm_core.nn.action_tokens import ActionTokens

FACTOR, SITES = 2, (4, 3)


def tokens() -> ActionTokens:
    """Random points over 8 x 6 cells, of which a site holds 2 x 2."""
    torch.manual_seed(0)
    sizes = {"action_dim": 3, "points": 2, "grid": (8, 6), "patch": 2, "temporal_factor": FACTOR, "dim": 5}
    layer = ActionTokens(**sizes)
    layer.reset_parameters()
    return layer


@torch.no_grad()
def test_only_the_sites_under_a_point_receive_it():
    layer = tokens()
    layer.locate[-1].weight.zero_()  # both points rest ...
    layer.locate[-1].bias.copy_(torch.tensor([0.7, 0.7, -0.8, -0.8, 1.0, 1.0]))  # ... at the right of the upper edge
    layer.log_width.fill_(-3.0)
    received = layer(torch.zeros(1, 1, 3))[0, 0].abs().sum(-1)
    reached = (received > 1e-3 * received.max()).unflatten(0, SITES)
    assert received.max() > 0 and reached.nonzero().tolist() == [[0, 2]]  # row and column of the site


@torch.no_grad()
def test_a_latent_depends_on_exactly_its_own_actions():
    layer, actions = tokens(), torch.randn(1, 1 + 3 * FACTOR, 3)
    before = layer(actions)
    for latent, frames in enumerate(([0], [1, 2], [3, 4], [5, 6])):
        for frame in frames:
            changed = actions.clone()
            changed[:, frame] += 1.0
            differs = (layer(changed) != before).flatten(2).any(-1)[0]
            assert differs.tolist() == [one == latent for one in range(4)]


@torch.no_grad()
def test_later_latents_alone_receive_the_same():
    layer, actions = tokens(), torch.randn(2, 1 + 3 * FACTOR, 3)
    alone = layer(actions[:, 1 + FACTOR :], first_latent=2)
    torch.testing.assert_close(alone, layer(actions)[:, 2:], rtol=0, atol=1e-6)
