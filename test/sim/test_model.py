"""The simulated humanoid is repeatable, keeps to its limits, and follows the action convention."""

import os
import subprocess
import sys

import numpy as np
import pytest
from simulated import SMALL, digest

from hwm_core.data.recording.preprocessing import Preprocessing
from hwm_core.errors import BadActions
from hwm_core.evaluation.simulated import object_tracks
from hwm_core.planning.joint_space import SECONDS_TO_FULL_SPEED
from hwm_core.sim.description import CONTROL_HZ, START_NS, joints
from hwm_core.sim.model import SimHumanoid
from hwm_core.sim.motion import plan_segment
from hwm_core.sim.motions import MOTIONS, random_motion
from hwm_core.sim.planner_motion import PlannerMotion
from hwm_core.sim.recorder import SimEpisode, simulate_episode
from hwm_core.sim.variation import OBJECTS

NECK = joints().index("neck_yaw", "neck_pitch")


def in_new_process(code: str, **environment: str) -> subprocess.CompletedProcess:
    environment = {**os.environ, **environment}
    return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def episode() -> SimEpisode:
    return simulate_episode(3, seconds=4.0, camera_size=64, masks=True)


def test_a_seed_gives_the_same_bytes_on_repeat_and_in_another_process():
    code = "from hwm_core.sim.recorder import simulate_episode; from simulated import SMALL, digest; "
    code += "print(digest(simulate_episode(7, **SMALL)))"
    other = in_new_process(code, PYTHONPATH=os.pathsep.join(("test/helpers", os.getcwd())))
    assert other.returncode == 0, other.stderr
    assert digest(simulate_episode(7, **SMALL)) == digest(simulate_episode(7, **SMALL)) == other.stdout.strip()


def test_a_reset_robot_equals_a_new_robot():
    fresh, used = SimHumanoid(5), SimHumanoid(4)
    used.advance()
    used.reset(5)
    np.testing.assert_array_equal(fresh.save(), used.save())
    np.testing.assert_array_equal(fresh.model.mat_rgba, used.model.mat_rgba)


def test_seeds_differ_in_appearance_object_positions_and_motion():
    one, other = simulate_episode(0, **SMALL), simulate_episode(2, **SMALL)
    assert np.abs(one.frames[0].astype(int) - other.frames[0]).mean() > 5
    assert np.abs(one.object_positions[0] - other.object_positions[0]).max() > 0.01
    assert np.abs(one.commands - other.commands).max() > 0.1


@pytest.mark.parametrize(("seed", "fixed"), [(0, True), (1, False), (2, True), (3, False)])
def test_episodes_of_even_seeds_hold_the_neck_still(seed, fixed):
    episode = simulate_episode(seed, seconds=3.0, camera_size=16)
    assert (np.ptp(episode.commands[:, NECK], axis=0).max() == 0) == fixed
    # The arms' motion reaches the neck only through its servo: not at all, since the torso is fixed.
    assert (np.ptp(episode.states[:, NECK], axis=0).max() < 1e-4) == fixed


def test_commands_keep_to_position_and_velocity_limits(episode):
    table = joints()
    assert (episode.commands >= table.lower - 1e-6).all() and (episode.commands <= table.upper + 1e-6).all()
    speed = np.abs(np.diff(episode.commands, axis=0)) * CONTROL_HZ
    # A minimum-jerk move's mean speed over one tick is at most its peak speed.
    assert (speed <= table.max_velocity + 1e-3).all()


def test_a_move_takes_longer_for_a_farther_goal_and_ends_early_beyond_its_longest_time():
    speed = np.array([1.0])
    # 0.4 rad at 1 rad/s peak needs 1.875 * 0.4 = 0.75 s = 22.5 ticks, rounded up.
    stretched = plan_segment(np.zeros(1), np.array([0.4]), speed, seconds=0.5, longest=1.0)
    assert stretched.ticks == 23 and stretched.at(23) == pytest.approx(0.4)
    # In 1.0 s a peak of 1 rad/s goes 1 / 1.875 = 0.533 rad.
    cut = plan_segment(np.zeros(1), np.array([3.0]), speed, seconds=0.5, longest=1.0)
    assert cut.ticks == 30 and cut.at(30) == pytest.approx(1 / 1.875)


@pytest.mark.parametrize(("motion", "share_moved"), [("random", 0.75), ("skills", 0.4), ("planner", 0.25)])
def test_objects_are_pushed_but_stay_on_the_table(motion, share_moved):
    moved = []
    for seed in range(4):
        robot = SimHumanoid(seed)
        driver, before = MOTIONS[motion](robot, seed), robot.object_positions()
        for _ in range(10 * CONTROL_HZ):
            robot.command(driver.next_command())
            robot.advance()
        after = robot.object_positions()
        moved.append(np.linalg.norm(after - before, axis=1) > 0.02)
        assert (np.abs(after[:, :2] - (0.54, 0.0)) < (0.34, 0.49)).all() and (after[:, 2] > 0).all()
        assert robot.data.warning.number.sum() == 0
    assert np.mean(moved) >= share_moved


def test_the_motion_of_a_planner_keeps_the_limits_of_speed_and_acceleration_and_moves_one_arm():
    robot = SimHumanoid(5)
    driver, table, commands = PlannerMotion(robot, 5), robot.joints, [robot.last_command]
    for _ in range(10 * CONTROL_HZ):
        commands.append(robot.command(driver.next_command()))
        robot.advance()
    path = np.array(commands)
    frames = path[::2]  # plans have half the rate of the control ticks
    steps = np.diff(frames, axis=0)
    assert (np.abs(np.diff(path, axis=0)) <= table.max_velocity / CONTROL_HZ + 1e-5).all()
    fastest = table.max_velocity / SECONDS_TO_FULL_SPEED / (CONTROL_HZ / 2) ** 2
    assert (np.abs(np.diff(steps, axis=0)) <= fastest + 1e-5).all()
    moving = {name for name, travel in zip(table.names, np.abs(steps).sum(axis=0), strict=True) if travel > 0.01}
    assert moving == {name for name in table.names if name.startswith("right") and "gripper" not in name}


def test_the_random_motion_of_the_held_out_episodes_is_the_same_as_ever():
    robot, elbow = SimHumanoid(2_000_000), []
    driver, column = random_motion(robot, 2_000_000), robot.joints.names.index("left_elbow_pitch")
    for _ in range(150):
        elbow.append(robot.command(driver.next_command())[column])
        robot.advance()
    assert elbow[119] == pytest.approx(0.914, abs=1e-3) and elbow[149] == pytest.approx(0.920, abs=1e-3)


def test_a_command_issued_at_a_frame_first_changes_the_next_frame():
    robot = SimHumanoid(0, camera_size=32)
    start, home = robot.save(), robot.last_command
    raised = home + 0.5 * (np.array(robot.joints.names) == "right_elbow_pitch")
    frames = {}
    for name, command in {"still": home, "raised": raised}.items():
        robot.restore(start)
        robot.command(command)
        at_issue = robot.render()
        robot.advance()
        frames[name] = at_issue, robot.render()
    assert (frames["still"][0] == frames["raised"][0]).all()
    assert (frames["still"][1] != frames["raised"][1]).any()


def test_an_episode_stores_a_command_with_the_first_frame_that_it_changes(episode):
    stored = episode.to_episode(Preprocessing(source_aspect=1.0, height=16, width=16))
    assert stored.frames.shape == (120, 16, 16, 3) and stored.names == episode.names
    np.testing.assert_array_equal(stored.commands[1:], episode.commands[:-1])
    np.testing.assert_array_equal(stored.commands[0], episode.home)
    np.testing.assert_array_equal(stored.states, episode.states)
    assert not stored.segments.any()


def test_frames_at_30_hz_and_joint_states_at_120_hz_share_one_clock(episode):
    robot = SimHumanoid(0)
    stamps = [reading.time_ns for _ in range(2) for reading in robot.advance()]
    assert stamps == [START_NS + k * 1_000_000_000 // 120 for k in range(1, 9)]
    assert episode.stamps_ns.tolist() == [START_NS + k * 1_000_000_000 // 30 for k in range(120)]


def test_a_saved_state_continues_bit_for_bit():
    robot = SimHumanoid(1)
    motion = random_motion(robot, 1)
    commands = [motion.next_command() for _ in range(20)]

    def run() -> np.ndarray:
        for command in commands:
            robot.command(command)
            robot.advance()
        return robot.save()

    run()
    saved = robot.save()
    first = run()
    robot.restore(saved)
    np.testing.assert_array_equal(run(), first)


@pytest.mark.parametrize("wrong", [np.zeros(15), np.full(16, np.nan), np.zeros((1, 16))])
def test_a_malformed_command_is_rejected_and_changes_nothing(wrong):
    robot = SimHumanoid(0)
    before = robot.last_command
    with pytest.raises(BadActions, match="16 finite positions"):
        robot.command(wrong)
    np.testing.assert_array_equal(robot.last_command, before)


def test_a_command_beyond_the_limits_is_clipped():
    robot = SimHumanoid(0)
    np.testing.assert_array_equal(robot.command(np.full(16, 99.0)), robot.joints.upper)


def test_object_masks_cover_the_pixels_of_the_objects_colour(episode):
    channel = {"red_box": 0, "green_cylinder": 1, "blue_box": 2}
    for k, name in enumerate(OBJECTS, 1):
        pixels = episode.frames[episode.object_masks == k]
        assert len(pixels) > 0
        # Neither masks nor frames have blended edges (no multisampling), so all pixels count.
        assert (pixels.argmax(axis=1) == channel[name]).mean() > 0.98


def test_rendering_masks_does_not_change_the_frames():
    plain, masked = simulate_episode(1, **SMALL), simulate_episode(1, **SMALL, masks=True)
    assert digest(plain) == digest(masked)


def test_masks_are_resized_with_their_frames(episode):
    small = episode.object_masks_of(Preprocessing(source_aspect=1.0, height=32, width=32))
    assert small.shape == (120, 32, 32)
    # A 2x2 block that shows one object only keeps its label; a block without objects stays 0.
    blocks = episode.object_masks.reshape(120, 32, 2, 32, 2).transpose(0, 1, 3, 2, 4).reshape(120, 32, 32, 4)
    uniform = (blocks == blocks[..., :1]).all(axis=-1)
    np.testing.assert_array_equal(small[uniform], blocks[uniform][:, 0])


def test_at_half_the_rate_positions_and_masks_belong_to_the_kept_frames(episode):
    slow = Preprocessing(source_aspect=1.0, height=64, width=64, frame_rate_hz=15)
    kept = np.searchsorted(episode.stamps_ns, episode.to_episode(slow).stamps_ns)
    assert len(kept) == 60
    tracks = object_tracks(episode, slow)
    np.testing.assert_array_equal(tracks.labels, episode.object_masks[kept])
    np.testing.assert_array_equal(tracks.positions, episode.object_positions[kept])


def test_without_gl_physics_works_and_rendering_reports_the_packages_to_install():
    code = "from hwm_core.sim.model import SimHumanoid as S; r = S(0); r.advance(); print('physics'); r.render()"
    done = in_new_process(code, MUJOCO_GL="off")
    assert done.stdout.strip() == "physics"
    assert "MissingGL" in done.stderr and "apt install libegl1 libgl1-mesa-dri" in done.stderr
