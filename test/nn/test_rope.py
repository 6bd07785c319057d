"""Rotary position embeddings."""

import torch

from hwm_core.nn.rope import rotate, space_angles, time_angles, volume_angles


def test_scores_over_time_depend_only_on_the_difference_in_time() -> None:
    query, key = torch.randn(2, 1, 1, 16, dtype=torch.float64)

    def score(i: int, j: int) -> float:
        at = time_angles(torch.tensor([i, j]), 16)[:, None].double()
        return (rotate(query, at[0]) * rotate(key, at[1])).sum().item()

    assert abs(score(3, 1) - score(9, 7)) < 1e-6
    assert abs(score(3, 1) - score(3, 2)) > 1e-3


def test_scores_over_space_depend_only_on_row_and_column_offsets() -> None:
    query, key = torch.randn(2, 1, 1, 16, dtype=torch.float64)
    at = space_angles(6, 6, 16, torch.device("cpu")).double().unflatten(0, (6, 6))

    def score(a: tuple[int, int], b: tuple[int, int]) -> float:
        return (rotate(query, at[a][None]) * rotate(key, at[b][None])).sum().item()

    assert abs(score((1, 2), (0, 0)) - score((4, 5), (3, 3))) < 1e-6
    assert abs(score((1, 2), (0, 0)) - score((2, 1), (0, 0))) > 1e-3, "rows and columns differ"


def test_scores_over_a_volume_depend_only_on_the_three_offsets() -> None:
    query, key = torch.randn(2, 1, 1, 24, dtype=torch.float64)
    at = volume_angles(torch.arange(5), 6, 6, 24).double().unflatten(1, (6, 6))

    def score(a: tuple[int, int, int], b: tuple[int, int, int]) -> float:
        return (rotate(query, at[a][None]) * rotate(key, at[b][None])).sum().item()

    assert abs(score((1, 1, 2), (0, 0, 0)) - score((4, 4, 5), (3, 3, 3))) < 1e-6
    for other in ((2, 1, 1), (1, 2, 1)):
        assert abs(score((1, 1, 2), (0, 0, 0)) - score(other, (0, 0, 0))) > 1e-3, "the three axes differ"
