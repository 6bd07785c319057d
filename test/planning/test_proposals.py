"""Movement primitives: what their numbers mean, and that they keep the hand where it should be."""

import pytest
import torch
from torch import Tensor

from hwm_core.planning.joint_space import JointSpace
from hwm_core.planning.kinematics import ArmChain
from hwm_core.planning.proposals.back import Back
from hwm_core.planning.proposals.base import Primitive
from hwm_core.planning.proposals.detour import HandDetour
from hwm_core.planning.proposals.hand import HandReach, HandStroke, Workspace
from hwm_core.planning.proposals.joint_moves import JointMoves
from hwm_core.sim.arm_chain import simulated_arm
from hwm_core.sim.description import joints

TABLE, FRAMES = joints(), 32
ARM: ArmChain = simulated_arm("right")
SPACE = JointSpace.from_limits(
    TABLE.names, TABLE.lower, TABLE.upper, 0.12 * (TABLE.upper - TABLE.lower), 15.0, TABLE.max_velocity.tolist()
)
HOME = torch.as_tensor(TABLE.home, dtype=torch.float32).expand(2, -1)
REST = HOME[-1].expand(FRAMES, -1)  # the motion that stops: it holds
COLUMNS = SPACE.index(ARM.joints)
ALL = (
    Back(HOME[-1] + 0.2, SPACE),
    JointMoves(("neck_yaw", "neck_pitch"), SPACE),
    HandReach(ARM, Workspace(), SPACE),
    HandDetour(ARM, Workspace(), SPACE),
    HandStroke(ARM, Workspace(), SPACE),
)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def palms(motions: Tensor) -> Tensor:
    return ARM.palm(motions[..., COLUMNS])


def by_name(primitive: Primitive) -> str:
    return primitive.name


@pytest.mark.parametrize("primitive", ALL, ids=by_name)
def test_motions_start_from_the_newest_action_and_end_at_rest(primitive: Primitive) -> None:
    motions = primitive.motions(primitive.sample(20, generator()), REST)
    assert motions.shape == (20, FRAMES, 16)
    assert (motions[:, 0] - HOME[-1]).abs().max() < 0.05
    assert (motions[:, -1] - motions[:, -2]).abs().max() < 0.02


@pytest.mark.parametrize("primitive", ALL, ids=by_name)
def test_variations_are_near_their_parents_and_narrow_with_the_share(primitive: Primitive) -> None:
    parents = primitive.sample(200, generator())
    wide, narrow = ((primitive.vary(parents, share, generator(1)) - parents).abs().mean(dim=0) for share in (1.0, 0.25))
    assert (narrow < 0.5 * wide).all() and (narrow > 0).all()
    assert (wide < parents.std(dim=0)).all()


def test_joints_that_a_primitive_does_not_move_stop() -> None:
    moving = HOME.clone()
    moving[0, COLUMNS] -= 0.02
    motions = JointMoves(("neck_yaw",), SPACE).motions(torch.tensor([[1.0]]), SPACE.stop(moving, FRAMES))
    assert torch.equal(motions[0][:, COLUMNS], SPACE.stop(moving, FRAMES)[:, COLUMNS])


def test_a_joint_move_ends_at_its_offset_within_the_limits() -> None:
    move = JointMoves(("neck_yaw",), SPACE)
    ends = move.motions(torch.tensor([[1.0], [99.0]]), REST)[:, -1, 0]
    assert ends.tolist() == [pytest.approx(float(SPACE.scale[0]), abs=1e-4), pytest.approx(0.7, abs=1e-4)]


def test_a_hand_reach_ends_at_its_point() -> None:
    point = torch.tensor([[0.50, -0.15, 0.10], [0.42, -0.25, 0.15]])
    motions = HandReach(ARM, Workspace(), SPACE).motions(point, REST)
    assert (palms(motions)[:, -1] - point).norm(dim=1).max() < 0.01


def test_a_hand_detour_passes_above_what_lies_on_the_straight_way_and_ends_at_its_point() -> None:
    point = torch.tensor([[0.52, -0.02, 0.06]])
    low = HandReach(ARM, Workspace(), SPACE).motions(torch.tensor([[0.45, -0.35, 0.05]]), REST)[0, -1]
    rest = low.expand(FRAMES, -1)
    straight = palms(HandReach(ARM, Workspace(), SPACE).motions(point, rest))[0]
    over = palms(HandDetour(ARM, Workspace(), SPACE).motions(torch.tensor([[*point[0], 0.6, 0.2]]), rest))[0]
    assert (over[-1] - point[0]).norm() < 0.01
    middle = torch.lerp(straight[0], point[0], 0.5)[:2]

    def height(path: Tensor) -> float:
        return float(path[(path[:, :2] - middle).norm(dim=1).argmin(), 2])

    assert height(straight) < 0.12 and height(over) > 0.15


def test_a_hand_stroke_passes_its_points_low_and_ends_high() -> None:
    numbers = torch.tensor([[0.45, -0.20, 0.55, -0.10, 0.05, 0.18]])
    path = palms(HandStroke(ARM, Workspace(), SPACE).motions(numbers, REST))[0]
    for point in ((0.45, -0.20, 0.05), (0.55, -0.10, 0.05)):
        assert (path - torch.tensor(point)).norm(dim=1).min() < 0.02
    assert path[-1, 2] > 0.14
    first = int((path - torch.tensor((0.45, -0.20, 0.05))).norm(dim=1).argmin())
    assert path[: first - 4, 2].min() > 0.08, "the hand comes from above"


def test_strokes_within_the_workspace_mostly_keep_the_limits() -> None:
    stroke = HandStroke(ARM, Workspace(), SPACE)
    motions = stroke.motions(stroke.sample(100, generator()), REST)
    moved = (palms(SPACE.project(motions, HOME)) - palms(motions)).norm(dim=-1).amax(dim=1)
    assert (moved < 0.02).float().mean() > 0.6


def test_numbers_of_a_motion_that_ends_at_a_posture_give_that_end() -> None:
    reach, detour = HandReach(ARM, Workspace(), SPACE), HandDetour(ARM, Workspace(), SPACE)
    for primitive in (reach, detour, JointMoves(("neck_yaw", "neck_pitch"), SPACE)):
        ends = primitive.motions(primitive.sample(10, generator()), REST)[:, -1]
        again = primitive.motions(primitive.ending_at(ends, REST), REST)[:, -1]
        if primitive in (reach, detour):
            ends, again = ARM.palm(ends[:, COLUMNS]), ARM.palm(again[:, COLUMNS])
        assert (again - ends).abs().median() < 2e-3
