"""The simulator as dynamics, seen through an untrained model of the simulated robot."""

import numpy as np
import pytest
import torch
from untrained import untrained

from hwm_core.evaluation.coders import ClipCoder, PixelCoder, StillCoder
from hwm_core.evaluation.sim_observer import SimObserver
from hwm_core.evaluation.true_dynamics import TrueDynamics
from hwm_core.sim.description import joints
from hwm_core.sim.model import SimHumanoid
from hwm_core.world_model.dynamics import WorldModelDynamics
from hwm_core.world_model.model import WorldModel


@pytest.fixture(scope="module")
def world_model() -> WorldModel:
    return WorldModel(untrained(joints=joints().names, limit=3.0))


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
        last = TrueDynamics(robot, world_model, PixelCoder(24)).rollout(observation, held)
        still = TrueDynamics(robot, world_model, StillCoder(world_model)).rollout(observation, held)
        actual = np.stack([observer.step(action) for action in held[1].numpy()])
    np.testing.assert_array_equal((future.video[1] * 255).round().byte().permute(0, 2, 3, 1).numpy(), actual)
    torch.testing.assert_close(last.latents[1, -1], torch.from_numpy(actual[-1]).float() / 255)
    torch.testing.assert_close(still.latents[1, -1], WorldModelDynamics(world_model).goal(actual[-1]).latent)


def test_an_observer_pairs_each_frame_with_the_command_sent_before_it(world_model: WorldModel) -> None:
    with SimHumanoid(3) as robot:
        observer = SimObserver(robot, world_model)
        observer.hold_until_full()
        before = robot.last_command.astype(np.float32)
        observer.step(before + 0.1)
        newest, previous = observer.observation().actions[[-1, -2]]
    np.testing.assert_allclose(previous, before, atol=1e-6)
    assert (newest > previous).any()
