"""Detail transfer from the newest observed frame to decoded frames."""

import torch

from hwm_core.world_model.detail_transfer import transfer_detail


def frames(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, 3, 32, 32, generator=torch.Generator().manual_seed(seed))


def test_a_static_scene_equals_the_newest_observed_frame() -> None:
    decoded_newest, newest = frames(1), frames(1, seed=1)
    restored = transfer_detail(decoded_newest[:, None].expand(4, 5, -1, -1, -1), decoded_newest, newest)
    torch.testing.assert_close(restored, newest[:, None].expand(4, 5, -1, -1, -1))


def test_a_changed_scene_stays_as_decoded() -> None:
    decoded_newest, newest = torch.full((1, 3, 32, 32), 0.2), frames(1)
    decoded = torch.full((1, 1, 3, 32, 32), 0.7)  # a change of 0.5 leaves exp(-(0.5 / 0.06)^2) = 7e-31 of the detail
    assert torch.equal(transfer_detail(decoded, decoded_newest, newest), decoded)


def test_detail_is_added_beside_a_changed_region_and_not_inside_it() -> None:
    decoded_newest = torch.full((1, 3, 32, 32), 0.5)
    newest = decoded_newest + 0.1
    decoded = decoded_newest[:, None].clone()
    decoded[..., 16:] = 1.0  # the right half has changed
    added = transfer_detail(decoded, decoded_newest, newest) - decoded
    # The window is a square of 3 pixels (0.08 of 32, odd): column 14 covers only the static half, column 17 the other.
    torch.testing.assert_close(added[..., :15], torch.full_like(added[..., :15], 0.1))
    assert added[..., 17:].abs().max() == 0


def test_one_past_serves_all_candidates() -> None:
    decoded_newest, newest, decoded = frames(1), frames(1, seed=1), frames(3, 2, seed=2)
    alone = [transfer_detail(decoded[i : i + 1], decoded_newest, newest) for i in range(3)]
    torch.testing.assert_close(transfer_detail(decoded, decoded_newest, newest), torch.cat(alone))
