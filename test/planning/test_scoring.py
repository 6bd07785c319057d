"""The score engine: what it needs of a rollout, checks at its border, and costs for a search."""

import numpy as np
import pytest
import torch
from spot_dynamics import LATENTS, SpotDynamics, goal_at, space

from hwm_core.errors import BadActions
from hwm_core.planning.costs.objective import Objective
from hwm_core.planning.scoring import ScoreEngine

NO_CHANGES = {"goal_changes": {"weight": 0.0}}
LAST = Objective.parse({**NO_CHANGES, "goal_latent": {"weight": 1.0, "discount": 0.0}})
COLOURS = Objective.parse({**NO_CHANGES, "goal_colours": {"weight": 1.0}})
RECENT = torch.tensor([[8.0, 0.0], [8.0, 0.0]])


class Recorder(SpotDynamics):
    """Remembers what was asked of it."""

    def rollout(self, past, candidates, last_latents=None):
        self.asked = last_latents
        return super().rollout(past, candidates, last_latents)


def candidates(count: int = 5) -> torch.Tensor:
    slide = torch.linspace(2.0, 12.0, count)[:, None].expand(-1, 12)
    return torch.stack([slide, torch.zeros_like(slide)], dim=-1)


@pytest.mark.parametrize(
    ("objective", "needed"),
    [
        (Objective(), 1),
        (COLOURS, None),
        (LAST, 1),
        (LAST.model_copy(update={"goal_pixels": LAST.goal_pixels.model_copy(update={"weight": 1.0})}), None),
        (Objective.parse(NO_CHANGES), 1),
    ],
    ids=["default", "discounted", "last latent", "pixels", "actions alone"],
)
def test_the_engine_asks_for_the_latents_that_the_costs_need(objective: Objective, needed: int | None) -> None:
    dynamics = Recorder()
    ScoreEngine(dynamics, objective, space()).costs(RECENT, goal_at(3.0), candidates())
    assert objective.last_latents == dynamics.asked == needed


def test_the_last_latent_alone_gives_the_same_costs_as_all_with_a_discount_of_zero() -> None:
    goal, actions = goal_at(3.0), candidates()
    alone = ScoreEngine(SpotDynamics(), LAST, space()).costs(RECENT, goal, actions)

    class Whole(SpotDynamics):
        def rollout(self, past, candidates, last_latents=None):
            return super().rollout(past, candidates, LATENTS)

    torch.testing.assert_close(alone, ScoreEngine(Whole(), LAST, space()).costs(RECENT, goal, actions))


@pytest.mark.parametrize("objective", [Objective(), COLOURS, LAST])
def test_costs_of_a_search_are_those_of_a_request(objective: Objective) -> None:
    engine, goal, actions = ScoreEngine(SpotDynamics(), objective, space()), goal_at(3.0), candidates()
    scores = engine.score(RECENT, goal, actions.numpy())
    np.testing.assert_allclose(engine.costs(RECENT, goal, actions).numpy(), scores.costs, rtol=1e-6)
    np.testing.assert_allclose(sum(scores.terms.values()), scores.costs, rtol=1e-6)


def test_an_objective_without_terms_costs_nothing() -> None:
    none = Objective.parse({name: {"weight": 0.0} for name in Objective.model_fields})
    engine = ScoreEngine(SpotDynamics(), none, space())
    assert not engine.score(RECENT, goal_at(3.0), candidates()).costs.any()
    assert not engine.costs(RECENT, goal_at(3.0), candidates()).any()


@pytest.mark.parametrize(
    "bad", [np.zeros((0, 12, 2)), np.zeros((1, 13, 2)), np.zeros((1, 12, 3)), np.full((1, 12, 2), np.nan)]
)
def test_bad_candidates_of_a_request_are_rejected(bad: np.ndarray) -> None:
    with pytest.raises(BadActions, match="candidate actions"):
        ScoreEngine(SpotDynamics(), LAST, space()).score(RECENT, goal_at(3.0), bad)


GOAL_COLOURS = Objective.parse(
    {
        **NO_CHANGES,
        "goal_colours": {"weight": 1.0, "discount": 0.0},
        "smoothness": {"weight": 0.0},
        "lateness": {"weight": 0.0},
    }
)


def engine(**keywords) -> ScoreEngine[torch.Tensor]:
    return ScoreEngine(SpotDynamics(), GOAL_COLOURS, space(), **keywords)


def slides(*positions: float, frames: int = 12) -> np.ndarray:
    slide = np.repeat(np.array(positions, np.float32)[:, None], frames, axis=1)
    return np.stack([slide, np.zeros_like(slide)], axis=-1)


def test_the_candidate_at_the_goal_is_best() -> None:
    scores = engine().score(RECENT, goal_at(5.0), slides(9.0, 5.0, 2.0))
    assert scores.best == 1
    assert scores.costs[1] < 1e-6 < scores.costs[2] < scores.costs[0]


def test_terms_sum_to_costs() -> None:
    scores = engine().score(RECENT, goal_at(5.0), slides(16.0, 5.0))
    assert scores.terms["joint_limits"][0] > 0
    np.testing.assert_allclose(sum(scores.terms.values()), scores.costs)


def test_short_candidates_hold_their_last_action() -> None:
    short = engine().score(RECENT, goal_at(5.0), slides(9.0, 5.0, frames=1))
    full = engine().score(RECENT, goal_at(5.0), slides(9.0, 5.0))
    np.testing.assert_array_equal(short.costs, full.costs)


@pytest.mark.parametrize("shape", [(12, 2), (0, 12, 2), (3, 0, 2), (3, 13, 2), (3, 12, 3), (3, 12, 1)])
def test_candidates_of_the_wrong_size_are_rejected(shape: tuple[int, ...]) -> None:
    with pytest.raises(BadActions, match="A = 2"):
        engine().score(RECENT, goal_at(5.0), np.zeros(shape, np.float32))


def test_a_nan_candidate_is_rejected_with_its_index() -> None:
    broken = slides(1.0, 2.0)
    broken[1, 3, 0] = np.nan
    with pytest.raises(BadActions, match=r"\[1, 3, 0\]"):
        engine().score(RECENT, goal_at(5.0), broken)


@pytest.mark.parametrize("value", [1e30, -1e7, np.inf])
def test_a_candidate_that_no_joint_can_follow_is_rejected_with_its_index(value: float) -> None:
    broken = slides(1.0, 2.0)
    broken[0, 1, 1] = value
    with pytest.raises(BadActions, match=r"\[0, 1, 1\]"):
        engine().score(RECENT, goal_at(5.0), broken)


def test_a_cost_that_is_not_finite_is_an_error_with_the_term() -> None:
    goal = goal_at(5.0)
    broken = type(goal)(goal.image, torch.full((3, 16, 1), torch.nan))
    with pytest.raises(FloatingPointError, match="goal_colours"):
        engine().score(RECENT, broken, slides(5.0))


def test_durations_come_from_the_given_clock() -> None:
    ticks = iter([10.0, 12.0, 15.0, 15.5])
    scores = engine(clock=lambda: next(ticks)).score(RECENT, goal_at(5.0), slides(5.0))
    assert scores.seconds == {"rollout": 2.0, "cost": 3.0, "uncertainty": 0.5}
