"""The order in which sites are revealed."""

import torch

from hwm_core.sampling.order import halton_rank, reveal, revealed_counts


def test_the_revealed_set_only_grows_and_has_the_count_of_each_step() -> None:
    generator, revealed = torch.Generator().manual_seed(0), torch.zeros(2, 3, 4, 5, dtype=torch.bool)
    for count in revealed_counts(20, 6):
        earlier, revealed = revealed, reveal(torch.rand(revealed.shape, generator=generator), revealed, count)
        assert torch.equal(revealed & earlier, earlier) and (revealed.sum((2, 3)) == count).all()


def test_reveal_counts_follow_the_cosine_and_end_with_every_site() -> None:
    # 64 sites, K=2: after the first step 64 - floor(64 cos(pi/4)) = 64 - 45 = 19 are revealed.
    assert revealed_counts(64, 2) == [19, 64]
    assert revealed_counts(64, 1) == [64]


def test_every_prefix_of_the_halton_order_covers_all_quarters_of_the_image_evenly() -> None:
    rank = halton_rank(8, 8).unflatten(0, (8, 8))
    assert sorted(rank.flatten().tolist()) == list(range(64))
    first = rank < 16
    quarters = [first[r : r + 4, c : c + 4].sum().item() for r in (0, 4) for c in (0, 4)]
    assert min(quarters) >= 3 and max(quarters) <= 5
