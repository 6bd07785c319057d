"""The cost around a motion, of costs whose minimum is known."""

import pytest
import torch
from spot_dynamics import space
from torch import Tensor

from hwm_core.planning.cost_landscape import CostSlice, cost_landscape

MOTION = torch.tensor([8.0, 0.2]).expand(12, -1)


def slices(cost, directions: int = 2) -> list[CostSlice]:
    settings = {"width": 1.0, "steps": 4, "generator": torch.Generator().manual_seed(0)}
    return cost_landscape(cost, MOTION, space(), torch.tensor([0, 1]), directions=directions, **settings)


def at(slide: float, idle: float):
    """Squared distance of the last frame from a posture, in joint scales (4 and 0.5)."""
    goal, scale = torch.tensor([slide, idle]), torch.tensor([4.0, 0.5])
    return lambda motions: ((motions[:, -1] - goal) / scale).square().sum(dim=1)


def test_there_is_a_slice_for_each_joint_and_each_direction_with_the_motion_in_its_middle() -> None:
    found = slices(at(8.0, 0.2))
    assert [line.name for line in found] == ["slide", "idle", "direction 1", "direction 2"]
    for line in found:
        assert line.offsets[4] == 0 and line.costs[4] == pytest.approx(0)
        assert line.minimum == 0


def test_a_minimum_beside_the_motion_is_found_in_the_units_of_the_joint() -> None:
    slide, idle = slices(at(10.0, 0.2), directions=0)  # half a scale beside the motion
    assert slide.minimum == pytest.approx(2.0)
    assert slide.minimum_in_scales == pytest.approx(0.5)
    assert idle.minimum == 0


def test_a_displaced_motion_still_starts_where_it_was() -> None:
    seen: list[Tensor] = []
    slices(lambda motions: seen.append(motions) or motions.sum(dim=(1, 2)), directions=0)
    first, last = (seen[0][:, frame, 0] - 8.0 for frame in (0, -1))
    assert first.abs().max() < 0.05
    assert last.tolist() == pytest.approx([-4.0, -3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0, 4.0])


def test_a_joint_that_never_moved_has_no_slice() -> None:
    fixed = space()
    fixed.scale[1] = 0
    settings = {"width": 1.0, "steps": 1, "directions": 0, "generator": torch.Generator()}
    found = cost_landscape(at(8.0, 0.2), MOTION, fixed, torch.tensor([0, 1]), **settings)
    assert [line.name for line in found] == ["slide"]
