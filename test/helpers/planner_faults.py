"""Faults beside a planner: what stops, what the world model answers, what a client asks for."""

from collections.abc import Callable
from typing import Any

import numpy as np
from action_msgs.msg import GoalStatus
from fake_world_model import INFO, FakeWorldModel, assert_within_limits, standing
from fault_case import FaultTable
from hwm_ros.msg import ErrorCode, ModelInfo
from rclpy.task import Future

from hwm_ros import convert

PLANNER_FAULTS = FaultTable()
_case = PLANNER_FAULTS.case


def _ends(model: FakeWorldModel, handle: Any, code: int, *words: str) -> None:
    """The goal is aborted with this code; the robot slows down within its limits, and the planner falls silent."""
    done = model.result(handle)
    assert (done.status, done.result.error_code) == (GoalStatus.STATUS_ABORTED, code), done.result.error_msg
    assert all(word in done.result.error_msg for word in words), done.result.error_msg
    if len(model.received["/joint_commands"]) > 3:
        assert_within_limits(model)


def _completes(model: FakeWorldModel, handle: Any) -> None:
    """The goal runs to its end, within the limits."""
    result = model.result(handle).result
    assert result.error_code == ErrorCode.NONE, result.error_msg
    assert_within_limits(model)


# ---------------------------------------------------------------- what stops


@_case("planner", "joint states stop in a motion", "`STALE_JOINTS`, a defined stop")
def joints_stop(model: FakeWorldModel) -> None:
    handle = model.follow()
    model.stopped = {"joints"}
    _ends(model, handle, ErrorCode.STALE_JOINTS)


@_case("planner", "the camera stops in a motion", "`STALE_CAMERA`, a defined stop")
def camera_stops(model: FakeWorldModel) -> None:
    handle = model.follow()
    model.stopped = {"camera"}
    _ends(model, handle, ErrorCode.STALE_CAMERA)


@_case("planner", "the world model reports nothing in a motion", "`WORLD_MODEL_GONE`, a defined stop")
def status_stops(model: FakeWorldModel) -> None:
    handle = model.follow()
    model.stopped = {"status"}
    _ends(model, handle, ErrorCode.WORLD_MODEL_GONE)


@_case("planner", "the robot is blocked", "`NOT_FOLLOWED` with the joint and its distance")
def robot_blocked(model: FakeWorldModel) -> None:
    model.blocked = True
    handle = model.follow()
    _ends(model, handle, ErrorCode.NOT_FOLLOWED, "left_elbow")


@_case("planner", "one joint is missing from now on", "`STALE_JOINTS`")
def joint_missing(model: FakeWorldModel) -> None:
    handle = model.follow()
    model.joint_states = [{"left_elbow": model.joint_states[0]["left_elbow"]}]
    _ends(model, handle, ErrorCode.STALE_JOINTS)


@_case("planner", "a joint becomes NaN", "`STALE_JOINTS` with the reason of the rejection")
def joint_nan(model: FakeWorldModel) -> None:
    handle = model.follow()
    model.blocked = True
    model.joint_states = [{"left_elbow": float("nan"), "neck": 0.2}]
    _ends(model, handle, ErrorCode.STALE_JOINTS)


@_case("planner", "the camera's clock jumps back by 0.6 s", "`CLOCK_JUMP`")
def clock_back(model: FakeWorldModel) -> None:
    handle = model.follow()
    model.now_ns -= 600_000_000
    _ends(model, handle, ErrorCode.CLOCK_JUMP)
    model.now_ns += 5_000_000_000


@_case(
    "planner", "the camera's clock jumps forward by an hour", "the goal ends with a code, or goes on within the limits"
)
def clock_forward(model: FakeWorldModel) -> None:
    handle = model.follow(num_frames=60)
    model.now_ns += 3_600_000_000_000
    result = model.result(handle).result
    assert result.error_code != ErrorCode.INTERNAL, result.error_msg
    assert_within_limits(model)


@_case("planner", "the world model starts again in a motion", "`WORLD_MODEL_GONE`")
def model_restarts(model: FakeWorldModel) -> None:
    handle = model.follow()
    model.info.publish(INFO)
    _ends(model, handle, ErrorCode.WORLD_MODEL_GONE, "started again")


@_case("planner", "a `ModelInfo` with unequal lists", "ignored; the goal goes on")
def info_inconsistent(model: FakeWorldModel) -> None:
    handle = model.follow(num_frames=40)
    model.info.publish(ModelInfo(joint_names=["left_elbow", "neck"], lower=[0.0], frame_rate_hz=30.0))
    _completes(model, handle)


# ---------------------------------------------------------------- what the world model answers


def _answer(name: str, sent: str, code: str, fields: dict[str, Any]) -> None:
    """A row: from now on every plan has these fields."""

    def act(model: FakeWorldModel) -> None:
        handle = model.follow()
        model.answer = fields
        _ends(model, handle, getattr(ErrorCode, code))

    act.__name__ = name
    _case("planner", sent, f"`{code}`, a defined stop")(act)


def _plan(values: float, names: tuple[str, ...] = tuple(INFO.joint_names)) -> Callable:
    actions = np.full((24, len(names)), values, np.float32)
    return lambda head: convert.sequence_message(actions, names, head)


_answer("plan_nan", "plans with NaN", "BAD_ACTIONS", {"plan": _plan(float("nan"))})
_answer("plan_of_others", "plans of other joints", "ROBOT_MISMATCH", {"plan": _plan(0.0, ("wheel", "neck"))})
_answer("goal_changed", "another client has set another goal image", "GOAL_CHANGED", {"error_code": 20})
_answer("answer_internal", "the search fails with an unexpected error", "INTERNAL", {"error_code": 99})


@_case("planner", "a search is answered with `BUSY` for 0.2 s", "it is asked again; the goal goes on")
def answer_busy(model: FakeWorldModel) -> None:
    handle = model.follow(num_frames=60)
    model.answer = {"error_code": int(ErrorCode.BUSY)}
    model.spin(0.2)
    model.answer = {}
    _completes(model, handle)


@_case("planner", "plans far outside of the joint limits, alternating", "followed within all limits")
def plan_wild(model: FakeWorldModel) -> None:
    handle = model.follow(num_frames=60)

    def wild(head: Any) -> Any:
        return _plan(50.0 * (-1) ** len(model.requests))(head)

    model.answer = {"plan": wild}
    _completes(model, handle)


@_case("planner", "a search outlasts its horizon", "`PLAN_LATE` with the times")
def plan_late(model: FakeWorldModel) -> None:
    handle = model.follow()
    model.waiting = Future()
    _ends(model, handle, ErrorCode.PLAN_LATE, "deadline_s")
    model.waiting.set_result(None)


# ---------------------------------------------------------------- what a client asks for


@_case("planner", "goals: threshold of NaN, of -1, and neither frames nor threshold", "`BAD_REQUEST`, each")
def goal_values(model: FakeWorldModel) -> None:
    standing(model)
    for goal in ({"cost_threshold": float("nan")}, {"cost_threshold": -1.0}, {}):
        _ends(model, model.send(**goal), ErrorCode.BAD_REQUEST)


@_case("planner", "a second goal while one runs", "rejected; the first one goes on")
def goal_twice(model: FakeWorldModel) -> None:
    handle = model.follow(num_frames=60)
    assert not model.send(num_frames=3).accepted
    _completes(model, handle)


@_case("planner", "cancel while a search runs", "canceled at once, a defined stop")
def cancel_while_planning(model: FakeWorldModel) -> None:
    handle = model.follow()
    asked, model.waiting = len(model.requests), Future()
    model.until(lambda: len(model.requests) > asked, "a search")
    cancel = handle.cancel_goal_async()
    model.until(cancel.done, "the cancellation")
    assert model.result(handle).status == GoalStatus.STATUS_CANCELED
    model.waiting.set_result(None)
    assert_within_limits(model)


@_case("planner", "`publish_commands` false in a motion", "no further command; what would be sent is shown")
def publish_off(model: FakeWorldModel) -> None:
    model.follow(num_frames=60)
    assert model.set_parameter("publish_commands", False).successful
    model.until(lambda: len(model.received["/mpc_planner/shadow_commands"]) > 8, "shadow commands")
    assert max(model.sent_s["/joint_commands"]) < min(model.sent_s["/mpc_planner/shadow_commands"])
    assert model.set_parameter("publish_commands", True).successful


@_case(
    "planner", "parameters in a motion: a negative time, a text, one that waits for the end", "rejected with the reason"
)
def parameters(model: FakeWorldModel) -> None:
    handle = model.follow(num_frames=60)
    for name, value in (("replan_s", -1.0), ("replan_s", "soon"), ("replan_s", 0.3), ("lockstep", True)):
        answer = model.set_parameter(name, value)
        assert not answer.successful and answer.reason, (name, value)
    _completes(model, handle)
