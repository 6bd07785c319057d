"""Motions are kept within position, speed and acceleration limits."""

import pytest
import torch
from torch import Tensor

from hwm_core.errors import BadConfig
from hwm_core.planning.joint_space import JointSpace

RATE_HZ = 10.0
# Two joints with steps of at most 0.2 and 0.4 a frame, and changes of steps of at most 0.05 and 0.1.
SPACE = JointSpace.from_limits(
    ("a", "b"), [-1.0, -2.0], [1.0, 2.0], [0.5, 1.0], RATE_HZ, [2.0, 4.0], max_acceleration=[5.0, 10.0]
)
AT_REST = torch.zeros(2, 2)


def excess(motions: Tensor, recent: Tensor, space: JointSpace = SPACE) -> float:
    """The largest violation of any limit at any frame."""
    whole = torch.cat([recent.expand(*motions.shape[:-2], 2, -1), motions], dim=-2)
    steps = whole.diff(dim=-2)[..., 1:, :]
    changes = whole.diff(n=2, dim=-2)
    beyond = [
        motions - space.upper,
        space.lower - motions,
        steps.abs() - space.max_step,
        changes.abs() - space.max_step_change,
    ]
    return max(float(one.max()) for one in beyond)


def wild(count: int, frames: int = 24) -> Tensor:
    """Smooth and jerky motions far beyond all limits."""
    generator = torch.Generator().manual_seed(0)
    jerky = torch.randn(count, frames, 2, generator=generator)
    return torch.cat([jerky, jerky.cumsum(dim=1), 0.1 * jerky.cumsum(dim=1).cumsum(dim=1)])


@pytest.mark.parametrize("method", ["project", "follow"])
@pytest.mark.parametrize("moving", [False, True])
def test_motions_keep_every_limit_at_every_frame(method: str, moving: bool) -> None:
    recent = torch.tensor([[-0.1, 0.2], [0.05, 0.0]]) if moving else AT_REST
    assert excess(getattr(SPACE, method)(wild(50), recent), recent) < 1e-5


@pytest.mark.parametrize("method", ["project", "follow"])
def test_motions_within_the_limits_do_not_change(method: str) -> None:
    frame = torch.arange(1.0, 25.0)[:, None]
    gentle = torch.tensor([0.9, -1.5]) * (1 - torch.cos(torch.pi * frame / 24)) / 2
    assert torch.allclose(getattr(SPACE, method)(gentle, AT_REST), gentle, atol=1e-6)


def test_a_fast_motion_is_shrunk_in_its_joint_only() -> None:
    frame = torch.arange(1.0, 25.0)[:, None]
    share = (1 - torch.cos(torch.pi * frame / 24)) / 2
    wanted = torch.tensor([3.0, 1.0]) * share  # joint a would leave its limit of 1
    projected = SPACE.project(wanted, AT_REST)
    assert torch.allclose(projected[:, 0], share[:, 0], atol=1e-4)
    assert torch.equal(projected[:, 1], wanted[:, 1])


def test_a_joint_stops_before_its_limit_though_it_is_sent_beyond() -> None:
    positions = SPACE.follow(torch.full((40, 2), 9.0), AT_REST)
    assert excess(positions, AT_REST) < 1e-5
    assert torch.allclose(positions[-1], SPACE.upper, atol=1e-4)
    assert (positions.diff(dim=0) >= -1e-6).all(), "it does not bounce"


def test_stopping_from_a_motion_takes_the_frames_that_the_acceleration_asks_for() -> None:
    recent = torch.tensor([[-0.2, 0.0], [0.0, 0.0]])  # joint a moves at its speed limit of 0.2, and slows by 0.05
    stop = SPACE.stop(recent, 6)
    assert torch.allclose(stop[:, 0], torch.tensor([0.15, 0.25, 0.30, 0.30, 0.30, 0.30]), atol=1e-6)
    assert torch.equal(stop[:, 1], torch.zeros(6))


@pytest.mark.parametrize("method", ["project", "follow"])
def test_a_joint_that_starts_outside_its_limits_comes_back_within_speed_and_acceleration(method: str) -> None:
    outside = torch.tensor([[1.3, 0.0], [1.3, 0.0]])
    inside = torch.zeros(3, 24, 2)
    inside[1:] = wild(1)[:2, :, :].clamp(-1, 1)
    motions = getattr(SPACE, method)(inside, outside)
    assert motions[..., 0].max() <= 1.3 + 1e-6
    assert (motions[:, -1, 0] <= 1.0 + 1e-5).all()
    without_position = JointSpace(
        SPACE.names, SPACE.lower - 9, SPACE.upper + 9, SPACE.max_velocity, SPACE.max_acceleration, SPACE.scale, RATE_HZ
    )
    assert excess(motions, outside, without_position) < 1e-5


def test_a_joint_that_starts_too_fast_is_slowed_down_at_the_acceleration_limit() -> None:
    fast = torch.tensor([[-0.4, 0.0], [0.0, 0.0]])  # 0.4 a frame, twice the limit
    for motion in (SPACE.project(wild(1)[0], fast), SPACE.follow(wild(1)[0], fast)):
        steps = torch.cat([fast, motion]).diff(dim=0)[:, 0]
        assert (steps.diff().abs() <= 0.05 + 1e-5).all()
        assert (steps[5:].abs() <= 0.2 + 1e-5).all()


def test_without_an_acceleration_limit_joints_need_a_fraction_of_a_second_to_full_speed() -> None:
    made = JointSpace.from_limits(("a",), [0.0], [1.0], [0.1], 30.0, 3.0)
    assert made.max_acceleration.tolist() == [pytest.approx(20.0)]
    assert made.max_step.tolist() == [pytest.approx(0.1)]


@pytest.mark.parametrize("limits", [{"max_velocity": 0.0}, {"max_velocity": [1.0, 2.0]}, {"max_acceleration": -1.0}])
def test_limits_that_are_not_positive_or_not_one_a_joint_are_rejected(limits: dict) -> None:
    with pytest.raises(BadConfig, match="limit of the joints"):
        JointSpace.from_limits(("a",), [0.0], [1.0], [0.1], 30.0, **{"max_velocity": 1.0, **limits})
