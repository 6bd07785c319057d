"""Points that move with the actions, drawn on the grid of a latent."""

import pytest
import torch

from hwm_core.nn.action_maps import ActionMaps

POINTS, FACTOR, LATENTS = 2, 2, 3


def maps(place: tuple[float, float]) -> ActionMaps:
    """Both points at `place` (x, y), moved by the first action along x."""
    layer = ActionMaps(action_dim=1, points=POINTS, grid=(8, 8), temporal_factor=FACTOR, num_latents=LATENTS)
    x, y = place
    values = torch.tensor([x, x, y, y, 5.0, 5.0])
    layer.locate = _Linear(values, torch.tensor([1.0, 1.0, 0.0, 0.0, 0.0, 0.0]))
    return layer


class _Linear(torch.nn.Module):
    def __init__(self, start: torch.Tensor, slope: torch.Tensor) -> None:
        super().__init__()
        self.start, self.slope = start, slope

    def forward(self, actions: torch.Tensor) -> torch.Tensor:
        return self.start + actions * self.slope


def peak(image: torch.Tensor) -> tuple[int, int]:
    return divmod(int(image.argmax()), image.shape[-1])


@torch.no_grad()
def test_a_point_is_drawn_where_the_actions_put_it():
    layer = maps((-0.6, 0.4))
    actions = torch.tensor([[[0.0], [0.25], [0.5], [1.0]]])
    drawn = layer(actions, torch.zeros(1, 1), (0, 1))[0].unflatten(1, (3 + LATENTS, POINTS))  # [T, kind, K, h, w]
    now, last, passed, *means = (drawn[1, kind, 0] for kind in range(3 + LATENTS))
    assert peak(now) == (5, 1)  # y = 0.4 is row 5 of 8, x = -0.6 column 1
    assert peak(last) == (5, 5)  # x = 0.4 after the last action
    row = passed[5]
    assert (row[1:6] > 0.25 * row.max()).all() and row[7] < 0.1 * row.max()  # everywhere between, and not beyond
    assert peak(means[0]) in {(5, 4), (5, 5)} and peak(means[1])[1] in {1, 2} and not means[2].any()


@torch.no_grad()
def test_the_maps_tell_in_which_order_a_point_passes():
    layer = maps((-0.6, 0.4))
    actions = torch.tensor([[[0.0], [0.5], [1.0], [0.5], [0.2], [0.0]]])
    exchanged = actions[:, [2, 3, 0, 1, 4, 5]]  # the same places, the same end
    one, other = (layer(each, torch.zeros(1, 1), (2,)) for each in (actions, exchanged))
    assert torch.allclose(one[:, :, : 3 * POINTS], other[:, :, : 3 * POINTS]) and not torch.allclose(one, other)


@torch.no_grad()
def test_the_maps_of_a_latent_do_not_depend_on_later_actions():
    layer = maps((0.0, 0.0))
    actions = torch.rand(1, 6, 1)
    changed = actions.clone()
    changed[:, 2:] += 0.5
    before, after = (layer(one, torch.zeros(1, 1), (0, 1, 2)) for one in (actions, changed))
    assert torch.equal(before[:, 0], after[:, 0]) and not torch.equal(before[:, 1], after[:, 1])


def test_a_point_learns_the_place_that_a_joint_moves():
    torch.manual_seed(0)
    layer = ActionMaps(action_dim=1, points=1, grid=(8, 8), temporal_factor=1, num_latents=1)
    layer.reset_parameters()
    optimiser = torch.optim.Adam(layer.parameters(), lr=0.01)
    columns = (torch.arange(8) + 0.5) / 8 * 2 - 1
    for _ in range(300):
        actions = torch.rand(32, 1, 1) * 1.6 - 0.8
        target = torch.exp(-0.5 * ((columns - actions[:, 0]) / 0.2) ** 2)[:, None, :].expand(-1, 8, -1)
        drawn = layer(actions, torch.zeros(1, 1), (0,))[:, 0, 1]
        loss = (drawn.mean(dim=1) - target.mean(dim=1)).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    with torch.no_grad():
        places = [
            peak(layer(torch.full((1, 1, 1), value), torch.zeros(1, 1), (0,))[0, 0, 1])[1] for value in (-0.6, 0.6)
        ]
    assert places[0] == pytest.approx(1, abs=1) and places[1] == pytest.approx(6, abs=1)
