"""The search, with a dynamics that can be solved on paper."""

from dataclasses import replace

import pytest
import torch
from spot_dynamics import SpotDynamics, goal_at, space
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from waits import Waits

from hwm_core.errors import BadActions, BadImage, RobotMismatch
from hwm_core.planning.costs.objective import Objective
from hwm_core.planning.dynamics import Goal
from hwm_core.planning.joint_space import JointSpace
from hwm_core.planning.plan import Plan
from hwm_core.planning.proposals.back import Back
from hwm_core.planning.proposals.joint_moves import JointMoves
from hwm_core.planning.search import Search
from hwm_core.planning.search_config import SearchConfig

AT = torch.tensor([[8.0, 0.2], [8.0, 0.2]])
OBJECTIVE = Objective.parse(
    {
        "goal_changes": {"weight": 0.0},
        "goal_colours": {"weight": 1.0, "discount": 0.0},
        "smoothness": {"weight": 0.0},
        "lateness": {"weight": 0.0},
    }
)


class CountingDynamics(SpotDynamics):
    """Records the batches of candidates."""

    def __init__(self) -> None:
        self.batches: list[Tensor] = []

    def rollout(self, past: Tensor, candidates: Tensor, *rest: int):
        self.batches.append(candidates)
        return super().rollout(past, candidates)


def search(dynamics: SpotDynamics | None = None, limits: JointSpace | None = None, **keywords) -> Search[Tensor]:
    config = {"joints": ("slide",), "polish": True, **keywords.pop("config", {})}
    limits = limits or space()
    keywords = {"primitives": (JointMoves(("slide",), limits),), **keywords}
    return Search(dynamics or SpotDynamics(), OBJECTIVE, limits, SearchConfig(**config), **keywords)


def test_the_plan_ends_at_the_goal_and_costs_less_than_holding() -> None:
    plan = search().plan(AT, goal_at(5.0))
    assert plan.actions[-1, 0].item() == pytest.approx(5.0, abs=0.2)
    assert plan.cost < 0.05 * plan.cost_of_holding
    assert plan.complete and not plan.holds


def test_running_the_first_frames_of_every_plan_reaches_the_goal() -> None:
    searcher, past, rest = search(limits=space(10.0)), AT, None
    for _ in range(6):
        plan = searcher.plan(past, goal_at(3.0), warm_start=rest)
        past, rest = plan.actions[2:4], plan.actions[4:]
    assert past[-1, 0].item() == pytest.approx(3.0, abs=0.2)


def test_a_joint_that_never_moved_in_the_training_data_is_not_moved() -> None:
    limits = replace(space(), scale=torch.tensor([4.0, 0.0]))
    motions = (JointMoves(("slide", "idle"), limits),)
    plan = search(limits=limits, primitives=motions, config={"joints": ("slide", "idle")}).plan(AT, goal_at(5.0))
    assert (plan.actions[:, 1] == AT[-1, 1]).all()
    assert plan.actions[-1, 0] < 6.0


@pytest.mark.parametrize("solver", ["cem", "icem", "mppi", "gradient"])
def test_every_solver_finds_the_goal_without_primitives(solver: str) -> None:
    config = {"solver": solver, "spread": 1.0, "refinements": 0}
    plan = search(primitives=(), config=config).plan(AT, goal_at(5.0))
    assert plan.source == "polished"
    assert not plan.actions.requires_grad, "a robot follows the numbers, not the graph of a gradient search"
    assert plan.actions[-1, 0].item() == pytest.approx(5.0, abs=0.6)


def test_a_goal_that_is_fulfilled_is_answered_by_holding() -> None:
    plan = search().plan(AT, goal_at(8.0))
    assert plan.holds
    assert (plan.actions == AT[-1]).all()


def test_nothing_replaces_holding_without_the_margin() -> None:
    # The best motion ends at the goal: it costs 0 and saves the whole cost of holding, but not more.
    assert not search(config={"margin": 0.9}).plan(AT, goal_at(5.0)).holds
    assert search(config={"margin": 1.1}).plan(AT, goal_at(5.0)).holds


def test_a_gain_that_is_too_small_in_all_replaces_nothing() -> None:
    assert not search(config={"least_gain": 0.1}).plan(AT, goal_at(5.0)).holds
    assert search(config={"least_gain": 9.0}).plan(AT, goal_at(5.0)).holds


def test_the_rest_of_the_last_plan_is_kept_unless_a_motion_is_better_by_the_margin() -> None:
    to_goal = AT[-1].expand(12, -1).clone()
    to_goal[:, 0] = 5.1
    assert search().plan(AT, goal_at(5.0), warm_start=to_goal).source == "warm start"
    to_goal[:, 0] = 7.0
    assert search().plan(AT, goal_at(5.0), warm_start=to_goal).source != "warm start"


def test_joints_that_are_not_planned_stay_constant() -> None:
    warm_start = torch.tensor([5.0, 0.9]).expand(12, -1)
    dynamics = CountingDynamics()
    search(dynamics).plan(AT, goal_at(5.0), warm_start=warm_start)
    assert all((batch[..., 1] == 0.2).all() for batch in dynamics.batches)


def test_every_candidate_keeps_the_limits_of_speed_acceleration_and_joints() -> None:
    limits = replace(space(4.0), max_acceleration=torch.full((2,), 10.0))
    moving = torch.tensor([[7.9, 0.2], [8.0, 0.2]])
    dynamics = CountingDynamics()
    search(dynamics, limits).plan(moving, goal_at(0.0), warm_start=torch.zeros(12, 2))
    for batch in dynamics.batches:
        whole = torch.cat([moving.expand(len(batch), -1, -1), batch], dim=1)
        assert (whole.diff(dim=1).abs() <= limits.max_step + 1e-5).all()
        assert (whole.diff(n=2, dim=1).abs() <= limits.max_step_change + 1e-5).all()
        assert batch[..., 0].min() >= -1e-5


def test_the_same_seed_gives_the_same_plan() -> None:
    plans = [search(seed=seed).plan(AT, goal_at(5.0)).actions for seed in (1, 1, 2)]
    assert torch.equal(plans[0], plans[1])
    assert not torch.equal(plans[0], plans[2])


def test_proposals_of_any_source_compete() -> None:
    class Told:
        name = "told"

        def __call__(self, past, goal, recent_actions, space, generator, count) -> Tensor:
            return torch.tensor([5.0, 0.2]).expand(1, 3, -1)  # shorter than the horizon: its last action is held

    plan = search(primitives=(), proposers=(Told(),), config={"polish": False}).plan(AT, goal_at(5.0))
    assert plan.source == "told"
    assert plan.actions.shape == (12, 2)


def test_a_deadline_that_has_passed_returns_the_best_of_the_first_batch() -> None:
    dynamics = CountingDynamics()
    plan = search(dynamics).plan(AT, goal_at(5.0), deadline=lambda: True)
    assert len(dynamics.batches) == 1 and not plan.complete
    assert plan.cost < plan.cost_of_holding


def test_a_deadline_is_asked_once_a_batch() -> None:
    dynamics, asked = CountingDynamics(), []
    plan = search(dynamics).plan(AT, goal_at(5.0), deadline=lambda: bool(asked.append(0)))
    assert len(asked) == len(dynamics.batches) > 3
    assert plan.complete


def test_the_first_plan_draws_more_motions_in_batches_that_a_deadline_may_end() -> None:
    config = {"proposals": 10, "first_batches": 4, "refinements": 0, "polish": False}
    first, next_, late = CountingDynamics(), CountingDynamics(), CountingDynamics()
    plan = search(first, config=config).plan(AT, goal_at(5.0))
    search(next_, config=config).plan(AT, goal_at(5.0), warm_start=plan.actions)
    calls = iter((False, True))
    search(late, config=config).plan(AT, goal_at(5.0), deadline=lambda: next(calls))
    assert [len(batch) for batch in first.batches] == [11, 10, 10, 10, 6]
    assert [len(batch) for batch in next_.batches] == [12, 6]
    assert [len(batch) for batch in late.batches] == [11, 10]


def test_the_number_of_futures_is_reported() -> None:
    dynamics = CountingDynamics()
    plan = search(dynamics).plan(AT, goal_at(5.0))
    assert plan.futures == sum(len(batch) for batch in dynamics.batches)


def failing(goal: Goal | None = None, at: Tensor = AT, **keywords) -> Plan:
    return search().plan(at, goal or goal_at(5.0), **keywords)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 99.0])
def test_a_start_that_is_not_finite_or_far_outside_the_limits_gives_no_plan(value: float) -> None:
    with pytest.raises(BadActions, match="slide outside"):
        failing(at=torch.tensor([[8.0, 0.2], [value, 0.2]]))


def test_a_start_a_little_outside_its_limits_is_brought_back() -> None:
    plan = failing(goal_at(14.0), at=torch.tensor([[15.2, 0.2], [15.2, 0.2]]))
    assert plan.actions[-1, 0] <= 15.0


@pytest.mark.parametrize("warm_start", [torch.full((12, 2), torch.nan), torch.zeros(13, 2), torch.zeros(12, 3)])
def test_a_warm_start_of_the_wrong_size_or_not_finite_is_rejected(warm_start: Tensor) -> None:
    with pytest.raises(BadActions, match="warm start"):
        failing(warm_start=warm_start)


def test_a_goal_of_another_size_is_rejected() -> None:
    goal = goal_at(5.0)
    with pytest.raises(BadImage, match="latent of size"):
        failing(Goal(goal.image, goal.latent[:2]))


def test_costs_that_are_never_finite_give_no_plan() -> None:
    goal = goal_at(5.0)
    with pytest.raises(FloatingPointError, match="no finite cost"):
        failing(Goal(goal.image, torch.full_like(goal.latent, torch.nan)))


def test_an_unknown_joint_to_plan_is_rejected_with_its_name() -> None:
    with pytest.raises(RobotMismatch, match="elbow"):
        search(config={"joints": ("elbow",)})


def test_a_motion_that_ends_well_by_a_detour_is_cut_short() -> None:
    class Detour:
        name = "detour"

        def __call__(self, past, goal, recent_actions, space, generator, count) -> Tensor:
            there = torch.linspace(8.0, 14.0, 6), torch.linspace(14.0, 5.0, 6)
            return torch.stack([torch.cat(there), torch.full((12,), 0.2)], dim=-1)[None]

    hurried = Objective.parse({**OBJECTIVE.plain(), "lateness": {"weight": 0.02}})
    config = SearchConfig(joints=("slide",), proposals=1, refinements=1, variations=1, polish=False)
    limits = space()
    none = (JointMoves(("slide",), limits, spread=1e-3),)
    plan = Search(SpotDynamics(), hurried, limits, config, none, (Detour(),)).plan(AT, goal_at(5.0))
    assert plan.source == "shortcut"
    assert plan.actions[:, 0].max() <= 8.0
    assert plan.actions[-1, 0] == 5.0


class _ScalarReads(TorchDispatchMode):
    """Counts reads of a tensor's value, each of which waits for a GPU."""

    count = 0

    def __torch_dispatch__(self, operator, types, args=(), kwargs=None):
        self.count += "local_scalar_dense" in str(operator) or "nonzero" in str(operator)
        return operator(*args, **(kwargs or {}))


@pytest.mark.parametrize("solver", ["cem", "icem", "mppi"])
def test_a_search_waits_for_the_gpu_only_to_check_its_start_and_to_return_the_plan(solver: str) -> None:
    limits = space()
    arm_like = (JointMoves(("slide",), limits), Back(AT[-1], limits))
    searcher = search(limits=limits, primitives=arm_like, config={"solver": solver})
    goal = goal_at(5.0)
    with Waits() as waits, _ScalarReads() as reads:
        searcher.plan(AT, goal)
    assert waits == []
    assert reads.count == 1, "the check of the start"
