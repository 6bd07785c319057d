"""Each cost on numbers that can be verified by hand."""

from dataclasses import replace

import pytest
import torch
from spot_dynamics import SpotDynamics, goal_at, space

from hwm_core.errors import BadConfig
from hwm_core.planning.costs.base import Candidates, Cost
from hwm_core.planning.costs.blurred_nmse import blur, blurred_nmse, discounted_mean
from hwm_core.planning.costs.closest_approach import ClosestApproach
from hwm_core.planning.costs.goal_changes import GoalChanges
from hwm_core.planning.costs.goal_colours import GoalColours, colour_projection
from hwm_core.planning.costs.goal_latent import GoalLatent
from hwm_core.planning.costs.goal_pixels import GoalPixels
from hwm_core.planning.costs.goal_regions import GoalRegions, regions
from hwm_core.planning.costs.goal_tokens import GoalTokens
from hwm_core.planning.costs.joint_limits import JointLimits
from hwm_core.planning.costs.lateness import Lateness
from hwm_core.planning.costs.latent_cost import change_weights
from hwm_core.planning.costs.objective import Objective
from hwm_core.planning.costs.smoothness import Smoothness
from hwm_core.planning.costs.uncertainty import Uncertainty
from hwm_core.planning.costs.velocity_limits import VelocityLimits
from hwm_core.planning.dynamics import Goal
from hwm_core.types import Rollout


def rolled_out(slide: torch.Tensor, start: float = 8.0, goal: float = 8.0, max_velocity: float = 1000.0) -> Candidates:
    """Candidates [S, 12] of the sliding joint, from standing still at `start`."""
    actions = torch.stack([slide, torch.zeros_like(slide)], dim=-1)
    recent = torch.tensor([[start, 0.0], [start, 0.0]])
    dynamics = SpotDynamics()
    rollout = dynamics.rollout(recent, actions)
    return Candidates(
        actions, recent, rollout, lambda: dynamics.decode(recent, rollout), goal_at(goal), space(max_velocity)
    )


def still(position: float) -> torch.Tensor:
    return torch.full((1, 12), position)


def test_smoothness_is_the_mean_squared_acceleration() -> None:
    # One step of 4 units = 1 scale at the first frame, then rest: second differences +1, -1, then 10 zeros, at 10 Hz
    # times 100 per second squared: two squares of 100^2 over 12 frames and 2 joints = 2 * 10000 / 24 = 833.33
    value = Smoothness().value(rolled_out(still(12.0), start=8.0))
    assert value.item() == pytest.approx(833.333, rel=1e-5)


def test_a_continued_motion_has_no_smoothness_cost() -> None:
    ramp = rolled_out(8.0 + 0.5 * torch.arange(1, 13.0)[None])
    moving = replace(ramp, recent_actions=torch.tensor([[7.5, 0.0], [8.0, 0.0]]))
    assert Smoothness().value(moving).item() == pytest.approx(0.0, abs=1e-6)
    assert Smoothness().value(ramp).item() > 0, "a start from rest has one"


def test_lateness_is_zero_for_holding_and_grows_with_the_distance_and_the_time_to_the_end() -> None:
    ramp = torch.arange(1, 13.0)[None] / 12
    early = (2 * ramp).clamp(max=1)
    costs = [
        Lateness().value(rolled_out(motion, start=8.0)).item() for motion in (still(8.0), 8 + 4 * early, 8 + 4 * ramp)
    ]
    assert costs[0] == 0.0
    assert costs[1] < 0.6 * costs[2]
    # The ramp is on average 11/24 of 4 units = 1 scale from its end, in one of two joints
    assert costs[2] == pytest.approx(11 / 48)


def test_joint_limits_cost_zero_inside_and_the_squared_excess_beyond() -> None:
    # Range 15, no margin: 19 is 4 units = 1 scale beyond on every frame
    assert JointLimits(margin=0.0).value(rolled_out(still(15.0))).item() == 0.0
    assert JointLimits(margin=0.0).value(rolled_out(still(19.0))).item() == pytest.approx(1.0)
    # A margin of a tenth is 1.5 units: 15 is 1.5 / 4 scales inside the margin
    assert JointLimits(margin=0.1).value(rolled_out(still(15.0))).item() == pytest.approx((1.5 / 4) ** 2)


def test_velocity_limits_cost_the_squared_excess_of_every_step() -> None:
    # 20 units/s at 10 Hz is 2 a frame; one jump of 6 exceeds by 4 = 1 scale in one frame of 12
    assert VelocityLimits().value(rolled_out(still(14.0), start=8.0, max_velocity=20.0)).item() == pytest.approx(1 / 12)
    assert VelocityLimits().value(rolled_out(still(10.0), start=8.0, max_velocity=20.0)).item() == 0.0


@pytest.mark.parametrize(
    "cost", [GoalChanges(), GoalLatent(weight=1.0), GoalColours(weight=1.0), GoalPixels(weight=1.0)]
)
def test_the_goal_itself_has_zero_cost(cost: Cost) -> None:
    assert cost.value(rolled_out(still(5.0), goal=5.0)).item() == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize(
    "cost",
    [
        GoalLatent(weight=1.0, smoothing=3.0),
        GoalColours(weight=1.0, smoothing=3.0),
        GoalPixels(weight=1.0, smoothing=3.0),
    ],
)
def test_with_blur_the_cost_falls_with_every_cell_towards_the_goal(cost: Cost) -> None:
    candidates = torch.arange(4.0, 12.0)[:, None].expand(-1, 12)
    values = cost.value(rolled_out(candidates, goal=3.0))
    assert (values.diff() > 0).all(), "the cost rises with every cell"
    assert values.diff().min() > 0.02 * values.max(), "by a share that the search can use"


def test_the_colour_projection_inverts_a_linear_code_of_colours() -> None:
    code = torch.tensor([[0.5, -0.2, 0.1, 0.3], [0.0, 0.4, -0.3, 0.2], [0.2, 0.1, 0.6, -0.1]])  # [3, 4]
    image = torch.rand(3, 16, 16, generator=torch.Generator().manual_seed(0))
    means = image.unfold(1, 4, 4).unfold(2, 4, 4).mean(dim=(-2, -1)).movedim(0, -1)  # of cells of 4 x 4 pixels
    projected = (means @ code) @ colour_projection(Goal(image, means @ code + 1.0))
    # Up to a constant, which cancels in differences, and the ridge of a thousandth
    assert torch.allclose(projected - projected.mean(dim=(0, 1)), means - means.mean(dim=(0, 1)), atol=0.02)


def test_a_goal_of_a_single_colour_has_zero_colour_cost_everywhere() -> None:
    plain = rolled_out(still(5.0))
    goal = Goal(torch.full((3, 16, 16), 0.5), torch.zeros(3, 16, 1))
    assert GoalColours().value(replace(plain, goal=goal)).item() == 0.0


def test_without_blur_the_cost_of_a_far_goal_is_flat() -> None:
    candidates = torch.arange(8.0, 12.0)[:, None].expand(-1, 12)
    values = GoalLatent(weight=1.0, smoothing=0.0).value(rolled_out(candidates, goal=1.0))
    assert values.diff().abs().max() < 1e-3 * values.max()


@pytest.mark.parametrize("sigma", [0.0, 2.0])
@pytest.mark.parametrize("scale", [1.0, 100.0])
def test_a_constant_image_has_error_one_in_any_units(sigma: float, scale: float) -> None:
    goal = scale * torch.rand(16, 16, 3, generator=torch.Generator().manual_seed(0))
    plain = blur(goal, sigma).mean(dim=(0, 1)).expand(1, 1, 16, 16, 3)
    # The error against the mean is the variance by definition; a blur does not change a constant image
    assert blurred_nmse(plain, goal, sigma, 0.0).item() == pytest.approx(1.0, rel=1e-3)


def test_the_discount_is_the_weight_of_a_step_relative_to_the_next() -> None:
    values = torch.tensor([[1.0, 2.0, 4.0]])
    assert discounted_mean(values, 0.0).item() == 4.0
    assert discounted_mean(values, 1.0).item() == pytest.approx(7 / 3)
    # (1/4 + 2/2 + 4) / (1/4 + 1/2 + 1) = 5.25 / 1.75
    assert discounted_mean(values, 0.5).item() == pytest.approx(3.0)


def test_blur_keeps_a_constant_image_and_spreads_a_point() -> None:
    assert torch.allclose(blur(torch.ones(2, 5, 7, 3), 1.5), torch.ones(2, 5, 7, 3))
    point = torch.zeros(9, 9, 1)
    point[4, 4] = 1.0
    blurred = blur(point, 1.0)
    # Centre of a discrete Gaussian of sigma 1: (1 / sum exp(-k^2 / 2))^2 = (1 / 2.5066)^2 = 0.1592
    assert blurred[4, 4].item() == pytest.approx(0.1592, abs=1e-4)
    assert torch.equal(blur(point, 0.0), point)


def test_weight_multiplies_before_the_power() -> None:
    beyond = rolled_out(still(19.0))  # value 1, see above
    assert JointLimits(margin=0.0, weight=3.0, power=2)(beyond).item() == pytest.approx(9.0)


def test_a_term_of_weight_zero_is_not_computed() -> None:
    terms = Objective().terms(rolled_out(still(8.0)))
    assert list(terms) == ["goal_changes", "lateness", "smoothness", "joint_limits", "velocity_limits"]


def test_a_misspelt_term_is_rejected_with_the_nearest_name() -> None:
    with pytest.raises(BadConfig, match="Did you mean `smoothness`"):
        Objective.parse({"smothness": {"weight": 1.0}})


def a_push() -> Goal:
    """A bright object moves from cell 2 to cell 12; a brighter arm at cell 7 stays where it is."""
    goal, start = goal_at(12.0).latent + 5 * goal_at(7.0).latent, goal_at(2.0).latent + 5 * goal_at(7.0).latent
    return Goal(goal_at(12.0).image, goal, start)


def showing(latent: torch.Tensor) -> Candidates:
    plain = rolled_out(still(5.0))
    return replace(plain, rollout=Rollout(latent[None, None]), goal=a_push())


def test_goal_changes_cost_one_at_the_start_and_zero_at_the_goal() -> None:
    goal = a_push()
    assert GoalChanges().value(showing(goal.latent)).item() == 0.0
    assert goal.start is not None
    assert GoalChanges().value(showing(goal.start)).item() == pytest.approx(1.0, rel=1e-5)


def test_an_arm_that_moves_elsewhere_costs_less_than_an_object_that_does_not_move() -> None:
    arm_away = goal_at(12.0).latent + 5 * goal_at(15.9).latent  # the object is at its goal, the arm is not
    changes, plain = GoalChanges(smoothings=(0.0,)), GoalLatent(weight=1.0, smoothing=0.0)
    arm_up = goal_at(12.0).latent  # the object is at its goal, the arm has left the image
    start = a_push().start
    assert start is not None
    assert changes.value(showing(arm_up)) < 0.1 < changes.value(showing(start))
    assert plain.value(showing(arm_up)) > plain.value(showing(start)), "all cells alike: the arm decides"
    assert changes.value(showing(arm_away)) < plain.value(showing(arm_away))


def test_an_arm_beside_the_changes_does_not_leak_into_them_by_the_blur() -> None:
    arm_up = showing(goal_at(12.0).latent)
    for smoothing in (0.75, 1.5, 3.0):
        assert GoalChanges(smoothings=(smoothing,), spread=0.0).value(arm_up) < 0.02


def test_a_blur_tells_an_arm_near_its_goal_from_one_that_left_the_image() -> None:
    goal, start = goal_at(12.0).latent, goal_at(2.0).latent
    reach = Goal(goal_at(12.0).image, goal, start)
    near, gone = (replace(showing(latent), goal=reach) for latent in (goal_at(9.5).latent, torch.zeros_like(goal)))
    sharp, blurred = (GoalChanges(smoothings=(smoothing,)) for smoothing in (0.0, 1.5))
    assert blurred.value(near) / blurred.value(gone) < 0.8 * sharp.value(near) / sharp.value(gone)


def test_with_a_ceiling_an_arm_over_the_goal_costs_no_more_than_an_object_that_is_not_there() -> None:
    goal = a_push()
    assert goal.start is not None
    hidden = goal.start + 9 * goal_at(12.0).latent  # an arm over the new place; the object is at its old one
    free, bounded = GoalChanges(ceiling=0.0), GoalChanges()
    assert free.value(showing(hidden)) > 2
    assert bounded.value(showing(hidden)) <= 1.0001
    assert bounded.value(showing(goal.latent)).item() == 0.0
    assert bounded.value(showing(goal.start)).item() == pytest.approx(1.0, rel=1e-5)


def test_changes_weigh_where_goal_and_start_differ() -> None:
    weights = change_weights(a_push(), spread=0.0, sharpness=1.0, floor=0.0)
    assert weights.sum() == pytest.approx(1.0)
    row = weights.sum(dim=1) if weights.shape[0] == 16 else weights.sum(dim=0)
    assert row[2] + row[12] > 0.5 and row[7] < 1e-3


@pytest.mark.parametrize("goal", [replace(a_push(), start=None), replace(a_push(), start=a_push().latent)])
def test_without_a_start_or_a_change_all_cells_count_alike_and_costs_are_finite(goal: Goal) -> None:
    weights = change_weights(goal, spread=0.0, sharpness=1.0, floor=0.1)
    assert weights.max() == pytest.approx(float(weights.min()))
    assert GoalChanges().value(replace(showing(goal.latent), goal=goal)).isfinite().all()


def test_the_closest_approach_counts_the_latent_nearest_to_the_goal() -> None:
    goal = a_push()
    assert goal.start is not None
    passing = replace(showing(goal.latent), rollout=Rollout(torch.stack([goal.start, goal.latent, goal.start])[None]))
    assert ClosestApproach(weight=1.0).value(passing).item() == 0.0
    assert GoalChanges().value(passing).item() == pytest.approx(1.0, rel=1e-5)


def test_with_regions_an_object_counts_as_much_as_a_larger_arm() -> None:
    arm = 2 * sum((goal_at(float(cell)).latent for cell in range(9, 14)), torch.zeros_like(goal_at(0.0).latent))
    goal = Goal(goal_at(1.0).image, goal_at(1.0).latent + arm, torch.zeros_like(arm))  # both appear
    arm_alone = replace(showing(arm), goal=goal)
    changes = GoalChanges(smoothings=(0.0,), spread=0.0)
    assert changes.value(arm_alone) < 0.01, "the object hardly counts"
    of_two = GoalRegions(smoothings=(0.0,), spread=0.0, least_change=0.01).value(arm_alone)
    assert of_two.item() == pytest.approx(0.5, abs=0.05), "one of two regions is wrong"


def test_regions_are_connected_cells_of_any_shape() -> None:
    mask = torch.tensor(
        [
            [1, 1, 1, 1, 1, 1, 0, 0],
            [0, 0, 0, 0, 0, 1, 0, 1],
            [1, 1, 1, 1, 0, 1, 0, 0],
            [1, 0, 0, 1, 0, 1, 0, 0],
            [1, 0, 0, 0, 0, 1, 0, 0],
            [1, 1, 1, 1, 1, 1, 0, 1],
        ]
    )
    labels = regions(mask.bool())
    assert (labels[mask == 0] == 0).all()
    assert len(labels.unique()) == 4, "outside, a spiral, and two single cells"
    assert labels[0, 0] == labels[3, 3] == labels[5, 0]


def test_uncertainty_is_the_mean_over_cells_of_what_the_model_says() -> None:
    asked: list[tuple[int, int]] = []

    def unsure(samples: int, steps: int) -> torch.Tensor:
        asked.append((samples, steps))
        return torch.tensor([[[[0.9, 0.9]], [[0.1, 0.3]]]])  # [S, T, h, w] = [1, 2, 1, 2]

    some = replace(rolled_out(still(5.0)), uncertainty=unsure)
    assert Uncertainty(weight=1.0, samples=3, steps=5).value(some).item() == pytest.approx(0.2)
    assert asked == [(3, 5)]
    assert Uncertainty(weight=1.0, discount=1.0).value(some).item() == pytest.approx(0.55)


def test_goal_tokens_count_where_the_goal_differs_from_its_start() -> None:
    surprise = torch.zeros(2, 1, 3, 16)
    surprise[0, 0, :, 7] = 1.0  # where the arm stays
    surprise[1, 0, :, 12] = 1.0  # where the object must be
    some = replace(rolled_out(still(5.0).expand(2, -1)), goal=a_push(), goal_surprise=lambda: surprise)
    arm, unseen = GoalTokens(weight=1.0, spread=0.0).value(some).tolist()
    assert arm < 1e-3 and unseen > 0.2


@pytest.mark.parametrize("cost", [Uncertainty(weight=1.0), GoalTokens(weight=1.0)])
def test_dynamics_that_cannot_tell_what_a_cost_asks_are_named(cost: Cost) -> None:
    with pytest.raises(BadConfig, match="Set its weight to 0"):
        cost.value(rolled_out(still(5.0)))
