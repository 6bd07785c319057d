"""The closed loop and the ranking in the simulator, with an untrained model of the simulated robot."""

import numpy as np
import pytest
import torch
from untrained import untrained

from hwm_core.errors import RobotMismatch
from hwm_core.evaluation.coders import ClipCoder
from hwm_core.evaluation.ranking import rank_actions
from hwm_core.evaluation.reaching import ReachConfig, reach
from hwm_core.evaluation.sim_observer import SimObserver
from hwm_core.evaluation.true_dynamics import TrueDynamics
from hwm_core.sim.description import joints
from hwm_core.sim.model import SimHumanoid
from hwm_core.world_model.model import WorldModel

FEW_SMALL_PLANS = ReachConfig.parse(
    {
        "planner": {
            "cem": {"candidates": 4, "elites": 2, "keep_elites": 1, "iterations": 1},
            "joints": ["right_elbow_pitch"],
        },
        "replan_frames": 24,
    }
)


@pytest.fixture(scope="module")
def world_model() -> WorldModel:
    return WorldModel(untrained(joints=joints().names, limit=3.0))


def test_an_episode_has_a_distance_and_a_frame_for_every_control_step(world_model: WorldModel) -> None:
    done = reach(world_model, 0, FEW_SMALL_PLANS)
    assert done.distances_m.shape == (61,)
    assert done.frames.shape == (61, 16, 16, 3)
    assert done.plans == 3
    assert 0.15 < done.distances_m[0] < 0.4
    assert done.success == (done.distances_m[-1] < 0.05)


def test_the_same_seed_gives_the_same_episode(world_model: WorldModel) -> None:
    first, second = (reach(world_model, 1, FEW_SMALL_PLANS) for _ in range(2))
    np.testing.assert_array_equal(first.distances_m, second.distances_m)
    np.testing.assert_array_equal(first.frames, second.frames)


def test_true_dynamics_predict_what_happens_and_restore_the_robot(world_model: WorldModel) -> None:
    with SimHumanoid(2) as robot:
        observer = SimObserver(robot, world_model)
        observer.hold_until_full()
        observation = observer.observation()
        elbow = joints().names.index("right_elbow_pitch")
        held = torch.from_numpy(observation.actions[-1]).repeat(2, 24, 1)
        held[1, :, elbow] += 0.4
        future = TrueDynamics(robot, world_model, ClipCoder(world_model)).rollout(observation, held)
        np.testing.assert_array_equal(robot.save(), observation.state)
        assert future.latents.shape[:2] == (2, 3)
        assert future.video.shape == (2, 24, 3, 16, 16)
        actual = np.stack([observer.step(action) for action in held[1].numpy()])
    np.testing.assert_array_equal((future.video[1] * 255).round().byte().permute(0, 2, 3, 1).numpy(), actual)


def test_an_observer_pairs_each_frame_with_the_command_sent_before_it(world_model: WorldModel) -> None:
    with SimHumanoid(3) as robot:
        observer = SimObserver(robot, world_model)
        observer.hold_until_full()
        before = robot.last_command.astype(np.float32)
        observer.step(before + 0.1)
        newest, previous = observer.observation().actions[[-1, -2]]
    np.testing.assert_allclose(previous, before, atol=1e-6)
    assert (newest > previous).any()


def test_a_ranking_scores_every_candidate_by_model_and_by_simulator(world_model: WorldModel) -> None:
    ranking = rank_actions(world_model, 0, FEW_SMALL_PLANS)
    assert ranking.distances_m.shape == (4,)
    assert {name: costs.shape for name, costs in ranking.costs.items()} == {"model": (4,), "simulator": (4,)}
    for agreement in ranking.agreement().values():
        assert -1 <= agreement.spearman <= 1
        assert 0 <= agreement.top1_regret <= 1


def test_a_model_of_another_robot_is_rejected() -> None:
    with pytest.raises(RobotMismatch, match="left_elbow"):
        reach(WorldModel(untrained()), 0, ReachConfig.parse({"planner": {"joints": ["left_elbow"]}}))
