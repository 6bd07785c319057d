"""The live loop without ROS gives the commands of the closed-loop bench: one context, one search, one follower."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from untrained import untrained

from hwm_core.evaluation.closed_loop.config import PlanningConfig
from hwm_core.evaluation.closed_loop.controller import Situation, Truth
from hwm_core.evaluation.closed_loop.episode import run_episode
from hwm_core.evaluation.closed_loop.limits import joint_space
from hwm_core.evaluation.closed_loop.planned import Planned
from hwm_core.evaluation.closed_loop.view import plain_view
from hwm_core.live.command_stream import CommandStream
from hwm_core.live.context import Context
from hwm_core.live.model import LiveConfig, LiveModel
from hwm_core.live.planner import Followed, LivePlanner, PlanRequest
from hwm_core.live.stream_config import StreamConfig
from hwm_core.planning.costs.objective import Objective
from hwm_core.planning.search_config import SearchConfig
from hwm_core.sim.description import CONTROL_HZ, joints
from hwm_core.sim.model import SimHumanoid
from hwm_core.sim.tasks.look import LOOK
from hwm_core.sim.tasks.task import TaskKind, make_task
from hwm_core.world_model.dynamics import WorldModelDynamics
from hwm_core.world_model.model import WorldModel

SEED = 2_400_002
SEARCH = SearchConfig(proposals=6, refinements=1, variations=4, polish=False, margin=0.0)
# An untrained model predicts the same for all motions: the joints are drawn to the middle of their range.
OBJECTIVE = Objective.parse({"joint_limits": {"margin": 0.49}, "lateness": {"weight": 0.0}})
REPLAN_S = 0.2


class RecordedHumanoid(SimHumanoid):
    """Keeps every command [A]."""

    def __init__(self) -> None:
        self.commands: list[np.ndarray] = []
        super().__init__(0, camera_size=32)

    def command(self, positions):
        self.commands.append(np.array(positions, np.float64))
        return super().command(positions)


def image_message(rgb: np.ndarray) -> SimpleNamespace:
    height, width, _ = rgb.shape
    return SimpleNamespace(
        encoding="rgb8", height=height, width=width, step=3 * width, is_bigendian=0, data=rgb.tobytes()
    )


def untrained_model(rate_hz: float) -> WorldModel:
    """A model of all joints of the simulated robot."""
    made = untrained(joints=joints().names, family="flow")
    preprocessing = made.preprocessing.model_copy(update={"frame_rate_hz": rate_hz})
    manifest = plain_view(rate_hz, image_size=16, past_frames=9).manifest
    return WorldModel(replace(made, preprocessing=preprocessing, manifest=manifest), dtype=torch.float32)


def bench_commands(robot: RecordedHumanoid, model: WorldModel, kind: TaskKind) -> np.ndarray:
    """The commands [F, A] of the closed-loop bench, one for each camera frame."""
    config = PlanningConfig(search=SEARCH, objective=OBJECTIVE, replan_seconds=REPLAN_S)
    space = joint_space(model, config)

    def planned(situation: Situation, truth: Truth) -> Planned:
        dynamics = WorldModelDynamics(model)
        return Planned(situation, dynamics, lambda seen: model.observe(seen.frames, seen.actions), config)

    run_episode(robot, model, space, kind, SEED, planned)
    return np.stack(robot.commands[-round(kind.seconds * CONTROL_HZ) :])


def live_commands(robot: RecordedHumanoid, model: WorldModel, kind: TaskKind) -> np.ndarray:
    """The same from context, planner and command stream, as the nodes use them in lockstep."""
    task = make_task(kind, robot, SEED)
    context = Context(model.manifest, model.preprocessing, model.past_frames)
    live = LiveModel(model, LiveConfig(), OBJECTIVE)
    planner = LivePlanner(live, SEARCH)
    live.set_goal(model.preprocessing.apply(task.goal_image))
    stream = CommandStream(live.space, StreamConfig(), lambda: robot.time_ns * 1e-9)
    stream.set_shadow(False)
    stream.begin(round(REPLAN_S * model.frame_rate_hz))
    context.add_command(robot.time_ns - 1, robot.joints.names, robot.last_command)
    stream.measured(robot.time_ns * 1e-9, robot.time_ns, robot.last_command)  # the bench starts from the command
    commands: list[np.ndarray] = []
    while len(commands) < round(kind.seconds * CONTROL_HZ):
        stamp_ns = robot.time_ns
        context.add_image(stamp_ns, image_message(robot.render()))
        stream.set_camera_period(context.image_period_s)
        is_ready = context.readiness_error() is None
        if not is_ready:
            stream.drop_plan(stamp_ns)
        elif context.newest_stamp_ns == stamp_ns and stream.due(stamp_ns):
            ahead = stream.forecast(stamp_ns, model.future_frames) if stream.follows else None
            followed = None if ahead is None else Followed(ahead, stamp_ns)
            made = planner.plan(context.window(), PlanRequest(kind.joints, followed=followed, seed=SEED))
            stream.adopt(made.stamp_ns, made.actions)
        command = stream.frame(stamp_ns)
        assert command is not None
        commands += [command.positions] if is_ready else []
        context.add_command(stamp_ns, robot.joints.names, command.positions)
        robot.command(command.positions)
        robot.advance()
    return np.stack(commands)


@pytest.mark.parametrize("rate_hz", [30.0, 15.0])
def test_live_planning_in_lockstep_gives_the_commands_of_the_closed_loop_bench(rate_hz):
    model, kind = untrained_model(rate_hz), replace(LOOK, seconds=0.6)
    with RecordedHumanoid() as robot:
        of_bench = bench_commands(robot, model, kind)
        live = live_commands(robot, model, kind)
    assert np.ptp(of_bench, axis=0).max() > 0.05, "it moves"
    np.testing.assert_array_equal(live, of_bench)
