"""Asking for a plan that begins with the first action that can still be executed, and reading it."""

import numpy as np
from numpy.typing import NDArray

from hwm_core.data.robot.joint_names import match_names
from hwm_core.live.command_stream import CommandStream
from hwm_ros import convert
from hwm_ros.msg import ActionSequence, ModelInfo
from hwm_ros.plan_goal import PlanGoal
from hwm_ros.planner_parameters import MpcPlannerParameters
from hwm_ros.srv import MakePlan

# Frames of the model that have passed: the context ends so much earlier while the joint states of the newest frames are
# on their way.
_BEFORE = 2


def plan_request(
    sender: str,
    goal: PlanGoal,
    info: ModelInfo,
    settings: MpcPlannerParameters,
    stream: CommandStream,
    stamp_ns: int,
) -> MakePlan.Request:
    """The request at the model's frame at `stamp_ns`; the search counts as running from now on.

    It tells what the robot does until the plan is ready: the candidates start with these actions. While the robot
    stands, nothing waits for the plan: it may take longer, and begins when it is ready.
    """
    stands = not settings.lockstep and stream.stands(stamp_ns, info.future_frames)
    search_s = settings.standing_search_s if stands else settings.search_s
    begin_ns = goal.progress.begin_plan(stamp_ns, search_s if stands else 0.0)
    request = MakePlan.Request(
        sender=sender,
        goal_version=goal.version,
        joints=goal.handle.request.joints,
        begin=convert.time_of(begin_ns),
        deadline_s=search_s,
        observed_frames=min(settings.reached_frames, info.past_frames),  # more only where no threshold needs them
        seed=settings.seed,
    )
    if begin_ns or (stream.follows and not stands):  # otherwise the plan acts when it is ready
        before = _BEFORE if begin_ns else 0
        actions = stream.forecast(stamp_ns, info.future_frames, before)
        if actions is not None:
            begun_ns = stamp_ns - round(1e9 * before / info.frame_rate_hz)
            request.followed = convert.sequence_message(actions, info.joint_names, convert.header(begun_ns))
    return request


def read_plan(plan: ActionSequence, info: ModelInfo) -> NDArray[np.float32]:
    """The actions [F, A] of a plan in the order of the model's joints. Raises BadActions or RobotMismatch."""
    columns = match_names(info.joint_names, list(plan.joint_names), whose="the plan")
    return convert.read_sequence(plan)[:, columns]
