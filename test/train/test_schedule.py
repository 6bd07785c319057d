"""The learning rate over a run."""

import pytest

from hwm_core.train.schedule import learning_rate_factor


@pytest.mark.parametrize(
    ("schedule", "factors"),
    # With 2 steps of warm-up and a budget of 4: 1/2 and then 1, times the decay at 0, 1/4, 1/2, 3/4 of the budget.
    [
        ("constant", [0.5, 1.0, 1.0, 1.0]),
        ("linear", [0.5, 0.75, 0.5, 0.25]),
        ("cosine", [0.5, 0.853553, 0.5, 0.146447]),
    ],
)
def test_the_learning_rate_warms_up_and_decays_over_the_budget(schedule, factors):
    assert [learning_rate_factor(schedule, step, 2, step / 4) for step in range(4)] == pytest.approx(factors, abs=1e-6)
