"""The learning rate over a run."""

from pathlib import Path

import pytest

from hwm_core.train.recipe import read_recipe
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


def test_the_decay_begins_with_the_first_step_so_the_largest_rate_of_st_is_7_9e_4_and_the_docs_say_so() -> None:
    train, steps = read_recipe("st").train, 153_000
    warmup = train.warmup_steps
    factors = [learning_rate_factor(train.schedule, n, warmup, n / steps) for n in range(2 * warmup)]
    assert factors.index(max(factors)) == warmup - 1
    largest = f"{train.learning_rate * max(factors):.1e}".replace("e-0", "e-")
    page = " ".join((Path(__file__).parents[2] / "docs/training.md").read_text().split())
    assert f"{largest} in place of 8e-4 in a run of `st` with {steps:,} steps, {warmup:,} of them" in page
