"""Success rates: intervals and paired tests agree with published values."""

import pytest

from hwm_core.metrics.proportions import mcnemar_exact, wilson_interval


def test_wilson_intervals_agree_with_published_values():
    # Newcombe 1998 (Statistics in Medicine 17), table I: 81 of 263, 15 of 148, 0 of 20, 1 of 29
    assert wilson_interval(81, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert wilson_interval(15, 148) == pytest.approx((0.0624, 0.1605), abs=1e-4)
    assert wilson_interval(0, 20) == pytest.approx((0.0, 0.1611), abs=1e-4)
    assert wilson_interval(1, 29) == pytest.approx((0.0061, 0.1718), abs=1e-4)


@pytest.mark.parametrize(("successes", "episodes"), [(0, 0), (3, 2), (-1, 4)])
def test_impossible_counts_are_rejected(successes, episodes):
    with pytest.raises(ValueError, match="successes of"):
        wilson_interval(successes, episodes)


def test_mcnemar_is_the_binomial_test_of_the_episodes_that_differ():
    first = [True] * 9 + [False] * 1 + [True] * 20
    second = [False] * 9 + [True] * 1 + [True] * 20
    assert mcnemar_exact(first, second) == pytest.approx(22 / 1024)  # 2 * (1 + 10) / 2**10
    assert mcnemar_exact(second, first) == mcnemar_exact(first, second)


def test_equal_outcomes_are_no_evidence():
    assert mcnemar_exact([True, False], [True, False]) == 1.0
    with pytest.raises(ValueError, match="argument"):
        mcnemar_exact([True], [True, False])
