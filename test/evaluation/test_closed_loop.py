"""The closed loop: a controller sees images and commands, its commands keep the limits, and the errors are true."""

from dataclasses import replace

import numpy as np
import pytest

from hwm_core.errors import BadConfig
from hwm_core.evaluation.closed_loop.config import PlanningConfig
from hwm_core.evaluation.closed_loop.controller import Decision, Situation, Truth
from hwm_core.evaluation.closed_loop.episode import ClosedLoopEpisode, run_episode
from hwm_core.evaluation.closed_loop.planned import Planned, WithoutModel
from hwm_core.evaluation.closed_loop.simple import Hold, RandomMotion
from hwm_core.evaluation.closed_loop.state_oracle import StateOracle
from hwm_core.evaluation.closed_loop.view import plain_view
from hwm_core.evaluation.coders import PixelCoder
from hwm_core.evaluation.true_dynamics import TrueDynamics
from hwm_core.planning.joint_space import JointSpace
from hwm_core.sim.description import joints
from hwm_core.sim.model import SimHumanoid
from hwm_core.sim.tasks.look import LOOK
from hwm_core.sim.tasks.reach import REACH

SEED = 2_400_002
VIEW = plain_view(frame_rate_hz=15.0, image_size=16, past_frames=3)
SPACE = JointSpace.from_manifest(VIEW.manifest, 15.0, 3.0)


@pytest.fixture(scope="module")
def robot():
    with SimHumanoid(0, camera_size=48) as robot:
        yield robot


class Constant:
    """Asks for the same actions in every decision and keeps what it saw."""

    def __init__(self, actions, replan_frames):
        self.replan_frames, self._actions, self.observations = replan_frames, actions, []

    def decide(self, observation):
        self.observations.append(observation)
        return Decision(np.asarray(self._actions, np.float32), futures=5)


def run(robot, kind, controller) -> ClosedLoopEpisode:
    return run_episode(robot, VIEW, SPACE, kind, SEED, lambda situation, truth: controller(situation))


def test_an_episode_has_an_error_and_a_frame_for_every_frame_of_the_task(robot):
    done = run(robot, REACH, Hold)
    assert done.errors.shape == (31,)
    assert done.frames.shape == (31, 16, 16, 3)
    assert 0.18 <= done.errors[0] <= 0.35
    assert not done.success


def test_the_same_seed_gives_the_same_episode(robot):
    one, two = (run(robot, LOOK, RandomMotion) for _ in range(2))
    np.testing.assert_array_equal(one.errors, two.errors)
    np.testing.assert_array_equal(one.frames, two.frames)


def test_commands_keep_the_speed_limit_and_move_planned_joints_only(robot):
    far = np.where(joints().home > 0, joints().upper, joints().lower)[None]
    controller = Constant(far, replan_frames=2)  # contexts of 3 frames overlap
    run(robot, LOOK, lambda situation: controller)
    actions = np.concatenate([seen.actions for seen in controller.observations])
    assert np.abs(np.diff(actions, axis=0)).max() <= 3.0 / 15 + 1e-5
    one_context = controller.observations[1].actions
    assert (np.abs(np.diff(one_context, n=2, axis=0)) <= SPACE.max_step_change.numpy() + 1e-5).all()
    others = [k for k, name in enumerate(joints().names) if name not in LOOK.joints]
    assert np.ptp(actions[:, others], axis=0).max() < 1e-6
    assert np.ptp(actions[:, :2], axis=0).min() > 0.1


def test_decisions_are_made_every_replan_frames_and_their_last_action_is_held(robot):
    controller = Constant(np.repeat(joints().home[None], 2, axis=0), replan_frames=8)
    done = run(robot, REACH, lambda situation: controller)
    assert [decision.frame for decision in done.decisions] == [0, 8, 16, 24]
    assert all(decision.futures == 5 and decision.seconds >= 0 for decision in done.decisions)


def test_driving_to_the_true_goal_is_a_success_and_both_successes_are_told_apart(robot):
    def to_the_goal(situation, truth):
        return Constant(truth.task.demonstration[1::2], replan_frames=situation.frames)

    done = run_episode(robot, VIEW, SPACE, REACH, SEED, to_the_goal)
    assert done.success
    assert done.success_at_closest
    left_again = replace(done, errors=np.append(done.errors, 0.3))
    assert not left_again.success
    assert left_again.success_at_closest


def test_a_rate_that_does_not_divide_the_robots_is_rejected(robot):
    view = replace(VIEW, frame_rate_hz=12.0)
    with pytest.raises(BadConfig, match="30 Hz"):
        run_episode(robot, view, SPACE, REACH, SEED, lambda situation, truth: Hold(situation))


def test_searching_on_true_images_turns_the_head_to_the_goal(robot):
    search = {"proposals": 16, "refinements": 1, "variations": 12, "polish": False}
    config = PlanningConfig.parse({"search": search, "replan_seconds": 0.4})

    def planned(situation: Situation, truth: Truth) -> Planned:
        dynamics = TrueDynamics(truth.robot, VIEW, PixelCoder(horizon_frames=12))
        return Planned(situation, dynamics, lambda observation: observation, config)

    done = run_episode(robot, VIEW, SPACE, LOOK, SEED, planned)
    assert done.errors[-1] < 0.5 * done.errors[0]
    assert [decision.futures for decision in done.decisions] == [1 + 3 * 16 + 12 + 6] + 3 * [2 + 16 + 12 + 6]


def test_the_state_oracle_turns_the_head_to_the_goal(robot):
    search = {"proposals": 24, "refinements": 1, "variations": 12, "polish": False}
    config = PlanningConfig.parse({"search": search, "replan_seconds": 0.8})

    def oracle(situation: Situation, truth: Truth) -> StateOracle:
        return StateOracle(situation, truth, VIEW, config)

    done = run_episode(robot, VIEW, SPACE, LOOK, SEED, oracle, with_predictions=True)
    assert done.errors[-1] < 0.5 * done.errors[0]


def test_without_a_model_a_random_motion_keeps_the_limits_of_the_planned_joints(robot):
    done = run_episode(
        robot, VIEW, SPACE, REACH, SEED, lambda situation, truth: WithoutModel(situation, 32, PlanningConfig())
    )
    assert all(decision.futures == 0 for decision in done.decisions)
    assert np.ptp(done.errors) > 0.02, "it moves"
