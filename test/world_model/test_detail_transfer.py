"""The detail of the newest frame, carried into what is painted."""

import torch

from hwm_core.world_model.detail_transfer import carried


def frames(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, 3, 32, 32, generator=torch.Generator().manual_seed(seed))


def test_what_stands_still_is_shown_as_it_was_seen() -> None:
    rebuilt, newest = frames(1), frames(1, seed=1)
    shown = carried(rebuilt[:, None].expand(4, 5, -1, -1, -1), rebuilt, newest)
    torch.testing.assert_close(shown, newest[:, None].expand(4, 5, -1, -1, -1))


def test_what_has_changed_is_shown_as_the_tokenizer_paints_it() -> None:
    rebuilt, newest = torch.full((1, 3, 32, 32), 0.2), frames(1)
    painted = torch.full((1, 1, 3, 32, 32), 0.7)  # a change of 0.5 leaves exp(-(0.5 / 0.06)^2) = 7e-31 of the detail
    assert torch.equal(carried(painted, rebuilt, newest), painted)


def test_detail_is_carried_beside_what_moves_and_not_into_it() -> None:
    rebuilt = torch.full((1, 3, 32, 32), 0.5)
    newest = rebuilt + 0.1
    painted = rebuilt[:, None].clone()
    painted[..., 16:] = 1.0  # the right half became another thing
    gained = carried(painted, rebuilt, newest) - painted
    # A square of 3 pixels (0.08 of 32, odd) around a pixel: column 14 sees the still half alone, column 17 the other.
    torch.testing.assert_close(gained[..., :15], torch.full_like(gained[..., :15], 0.1))
    assert gained[..., 17:].abs().max() == 0


def test_one_past_serves_all_candidates() -> None:
    rebuilt, newest, painted = frames(1), frames(1, seed=1), frames(3, 2, seed=2)
    alone = [carried(painted[i : i + 1], rebuilt, newest) for i in range(3)]
    torch.testing.assert_close(carried(painted, rebuilt, newest), torch.cat(alone))
