"""Faults of what a world_model node is asked for: candidates, goals, plans, parameters, transitions."""

from typing import Any

import numpy as np
from fault_case import FaultTable
from hwm_ros.msg import ErrorCode
from hwm_ros.srv import CancelRequests, MakePlan, PredictRollout, ResetContext, ScoreActions, SetGoal
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from live_robot import LiveRobot
from rcl_interfaces.srv import SetParameters
from rclpy.parameter import Parameter
from rclpy.task import Future
from ros_robot import GOAL, some_candidates
from untrained import JOINTS

from hwm_ros import convert
from hwm_ros.qos import REQUESTS

REQUEST_FAULTS = FaultTable()
_case = REQUEST_FAULTS.case


def _changed(message: Any, **fields: Any) -> Any:
    for field, value in fields.items():
        setattr(message, field, value)
    return message


def _ask(robot: LiveRobot, kind: Any, service: str, *requests: Any) -> list[Future]:
    """Send requests without waiting."""
    client = robot.node.create_client(kind, f"/world_model/{service}", qos_profile=REQUESTS)
    robot.until(client.service_is_ready, service)
    return [client.call_async(request) for request in requests]


def _search(robot: LiveRobot) -> Future:
    """A search that takes minutes, and runs."""
    while True:
        [plan] = _ask(robot, MakePlan, "plan", MakePlan.Request(sender="slow", goal=GOAL))
        robot.until(lambda plan=plan: _running_s(robot) > 0.1 or plan.done(), "the search")
        if not plan.done():
            return plan
        assert plan.result().error_code == ErrorCode.NO_CONTEXT, plan.result().error_msg


def _running_s(robot: LiveRobot) -> float:
    values = [v for m in robot.received["/diagnostics"][-1:] for v in m.status[0].values]
    return max([float(v.value) for v in values if v.key == "request_running_s"], default=0.0)


def _answer(robot: LiveRobot, future: Future) -> Any:
    robot.until(future.done, "the answer")
    return future.result()


def _plan(robot: LiveRobot, code: int, **fields: Any) -> str:
    """The `error_msg` of a plan that is rejected with this code; asked again while the newest frame is incomplete."""
    while True:
        answer = _answer(robot, _ask(robot, MakePlan, "plan", MakePlan.Request(goal=GOAL, **fields))[0])
        if answer.error_code != ErrorCode.NO_CONTEXT:
            assert answer.error_code == code, answer.error_msg
            return str(answer.error_msg)
        robot.spin(0.05)


def _scores(robot: LiveRobot, code: int, *words: str, **request: Any) -> None:
    scores = robot.score(**request)
    while scores.error_code == ErrorCode.NO_CONTEXT != code:  # the newest frame may lack its joint state
        robot.spin(0.05)
        scores = robot.score(**request)
    assert scores.error_code == code and scores.best_index == -1, scores
    assert all(word in scores.error_msg for word in words), scores.error_msg


def _change(robot: LiveRobot, transition: int) -> bool:
    request = ChangeState.Request(transition=Transition(id=transition))
    return bool(robot.call(ChangeState, "/world_model/change_state", request).success)


# ---------------------------------------------------------------- candidates


@_case("requests", "candidates of a wrong size", "`BAD_ACTIONS` with the expected size")
def candidates_size(robot: LiveRobot) -> None:
    _scores(robot, ErrorCode.BAD_ACTIONS, "4 x 25 x 3", candidates=_changed(some_candidates(), num_steps=25))


@_case("requests", "candidates of unknown joints", "`ROBOT_MISMATCH` with the missing name")
def candidates_joints(robot: LiveRobot) -> None:
    wrong = some_candidates(names=("neck_yaw", "left_elbow", "wheel"))
    _scores(robot, ErrorCode.ROBOT_MISMATCH, "right_elbow", candidates=wrong)


@_case("requests", "candidates with NaN", "`BAD_ACTIONS`")
def candidates_nan(robot: LiveRobot) -> None:
    message = some_candidates()
    message.actions[7] = float("nan")
    _scores(robot, ErrorCode.BAD_ACTIONS, candidates=message)


@_case("requests", "no candidates", "`BAD_ACTIONS`", fast=True)
def candidates_none(robot: LiveRobot) -> None:
    _scores(robot, ErrorCode.BAD_ACTIONS, candidates=some_candidates(count=0))


@_case("requests", "4,000,000,000 candidates announced, four sent", "`BAD_ACTIONS`; no memory is taken", fast=True)
def candidates_announced(robot: LiveRobot) -> None:
    message = _changed(some_candidates(), num_candidates=4_000_000_000)
    _scores(robot, ErrorCode.BAD_ACTIONS, "4000000000", candidates=message)


@_case("requests", "600 candidates, 512 are allowed", "`BAD_ACTIONS` with the parameter to raise", fast=True)
def candidates_many(robot: LiveRobot) -> None:
    _scores(robot, ErrorCode.BAD_ACTIONS, "live.max_candidates", candidates=some_candidates(count=600))


@_case("requests", "candidates of 1e30 rad", "scored; or `BAD_ACTIONS`, never `INTERNAL`")
def candidates_huge(robot: LiveRobot) -> None:
    message = some_candidates()
    message.actions = [1e30] * len(message.actions)
    assert robot.score(candidates=message).error_code in (ErrorCode.NONE, ErrorCode.BAD_ACTIONS)


@_case("requests", "candidates without a goal image", "`NO_GOAL`")
def candidates_goal(robot: LiveRobot) -> None:
    robot.call(SetGoal, "/world_model/set_goal", SetGoal.Request())
    _scores(robot, ErrorCode.NO_GOAL, goal=convert.image_message(np.zeros((0, 0, 3), np.uint8), convert.header(1)))


@_case("requests", "candidates without a context, after a reset", "`NO_CONTEXT` with the number of frames")
def candidates_context(robot: LiveRobot) -> None:
    robot.every["camera"] = 0
    robot.spin(0.1)
    robot.call(ResetContext, "/world_model/reset_context", ResetContext.Request())
    _scores(robot, ErrorCode.NO_CONTEXT)


@_case("requests", "a rollout of actions that are infinite", "`BAD_ACTIONS`")
def rollout_infinite(robot: LiveRobot) -> None:
    message = some_candidates(count=1)
    message.actions = [float("inf")] * len(message.actions)
    request = PredictRollout.Request(candidates=message)
    answer = robot.call(PredictRollout, "/world_model/predict_rollout", request)
    assert answer.error_code == ErrorCode.BAD_ACTIONS


# ---------------------------------------------------------------- goals and plans


@_case("requests", "goal images: cut, of floats, of a wrong aspect ratio", "`BAD_IMAGE`, each", fast=True)
def goal_images(robot: LiveRobot) -> None:
    for fields in ({"data": [0] * 9}, {"encoding": "32FC3"}, {"width": 64, "height": 16, "step": 192}):
        image = _changed(convert.image_message(np.zeros((32, 32, 3), np.uint8), convert.header(1)), **fields)
        answer = robot.call(SetGoal, "/world_model/set_goal", SetGoal.Request(goal=image))
        assert answer.error_code == ErrorCode.BAD_IMAGE, fields


@_case("requests", "a plan of an unknown joint", "`ROBOT_MISMATCH`")
def plan_joint(robot: LiveRobot) -> None:
    _plan(robot, ErrorCode.ROBOT_MISMATCH, joints=["wheel"])


@_case("requests", "a plan that follows actions with NaN", "`BAD_ACTIONS`")
def plan_followed(robot: LiveRobot) -> None:
    broken = convert.sequence_message(np.full((4, 3), np.nan, np.float32), JOINTS, convert.header(robot.stamp_ns()))
    _plan(robot, ErrorCode.BAD_ACTIONS, followed=broken)


@_case("requests", "deadlines of -1 s and NaN", "`BAD_REQUEST`")
def plan_deadline(robot: LiveRobot) -> None:
    for deadline_s in (-1.0, float("nan")):
        _plan(robot, ErrorCode.BAD_REQUEST, deadline_s=deadline_s)


@_case("requests", "a deadline of a microsecond", "`TIMEOUT` with what to lower")
def plan_deadline_short(robot: LiveRobot) -> None:
    assert "search.proposals" in _plan(robot, ErrorCode.TIMEOUT, deadline_s=1e-6)


@_case("requests", "a plan for 1,000 observed frames", "`BAD_REQUEST` with the number there is", fast=True)
def plan_observed(robot: LiveRobot) -> None:
    assert "9 frames" in _plan(robot, ErrorCode.BAD_REQUEST, observed_frames=1000)


@_case("requests", "60 requests while a search runs", "`BUSY` at once for those that find no room")
def request_flood(robot: LiveRobot) -> None:
    _search(robot)
    flood = _ask(robot, ScoreActions, "score_actions", *[ScoreActions.Request(candidates=some_candidates())] * 60)
    robot.until(lambda: sum(future.done() for future in flood) >= 52, "the rejected requests")
    assert {future.result().scores.error_code for future in flood if future.done()} == {ErrorCode.BUSY}
    robot.report("Too many requests")
    robot.call(CancelRequests, "/world_model/cancel_requests", CancelRequests.Request())


@_case(
    "requests",
    "`set_goal` while a search runs, then `cancel_requests`",
    "the search ends as `CANCELED`, the goal is set",
)
def goal_while_planning(robot: LiveRobot) -> None:
    plan = _search(robot)
    [goal] = _ask(robot, SetGoal, "set_goal", SetGoal.Request(goal=GOAL))
    robot.spin(0.2)
    assert robot.call(
        CancelRequests, "/world_model/cancel_requests", CancelRequests.Request(sender="slow")
    ).num_canceled
    assert _answer(robot, plan).error_code == ErrorCode.CANCELED
    answer = _answer(robot, goal)
    assert answer.error_code == ErrorCode.NONE
    robot.status(lambda s: s.goal_version == answer.goal_version)


@_case("requests", "`reset_context` while a search runs", "the search ends as `CANCELED`")
def reset_while_planning(robot: LiveRobot) -> None:
    plan = _search(robot)
    robot.call(ResetContext, "/world_model/reset_context", ResetContext.Request())
    assert _answer(robot, plan).error_code == ErrorCode.CANCELED


# ---------------------------------------------------------------- lifecycle and parameters


@_case("lifecycle", "`deactivate` while a search runs", "the search ends as `CANCELED`; then `NOT_ACTIVE`", fast=True)
def deactivate_while_planning(robot: LiveRobot) -> None:
    plan = _search(robot)
    assert _change(robot, Transition.TRANSITION_DEACTIVATE)
    assert _answer(robot, plan).error_code == ErrorCode.CANCELED
    _scores(robot, ErrorCode.NOT_ACTIVE)
    assert _change(robot, Transition.TRANSITION_ACTIVATE)


@_case(
    "lifecycle",
    "`deactivate` and `cleanup` while a search and ten requests wait",
    "all are answered; the model unloads",
)
def cleanup_while_planning(robot: LiveRobot) -> None:
    waiting = [_search(robot)]
    requests = [ScoreActions.Request(candidates=some_candidates())] * 4
    waiting += _ask(robot, ScoreActions, "score_actions", *requests)
    robot.spin(0.2)
    assert _change(robot, Transition.TRANSITION_DEACTIVATE) and _change(robot, Transition.TRANSITION_CLEANUP)
    answers = [_answer(robot, future) for future in waiting]
    codes = {getattr(answer, "scores", answer).error_code for answer in answers}
    assert codes <= {ErrorCode.CANCELED, ErrorCode.NOT_ACTIVE}
    assert _change(robot, Transition.TRANSITION_CONFIGURE) and _change(robot, Transition.TRANSITION_ACTIVATE)


@_case(
    "lifecycle",
    "`activate` of an active node, and a transition that does not exist",
    "rejected; it stays active",
    fast=True,
)
def activate_twice(robot: LiveRobot) -> None:
    assert not _change(robot, Transition.TRANSITION_ACTIVATE) and not _change(robot, 200)


@_case("parameters", "a cost weight of -1, NaN, infinity, or a text", "rejected with the reason", fast=True)
def parameter_weight(robot: LiveRobot) -> None:
    for value in (-1.0, float("nan"), float("inf"), "much"):
        _rejected(robot, "objective.smoothness.weight", value)


@_case(
    "parameters",
    "a parameter that is read when the node is configured",
    "rejected with the transition to call",
    fast=True,
)
def parameter_locked(robot: LiveRobot) -> None:
    assert "cleanup" in _rejected(robot, "live.max_candidates", 10)


@_case("parameters", "a parameter that does not exist", "rejected")
def parameter_unknown(robot: LiveRobot) -> None:
    _rejected(robot, "objective.smoothnes.weight", 1.0)


def _rejected(robot: LiveRobot, name: str, value: Any) -> str:
    request = SetParameters.Request(parameters=[Parameter(name, value=value).to_parameter_msg()])
    [result] = robot.call(SetParameters, "/world_model/set_parameters", request).results
    assert not result.successful and result.reason, (name, value)
    return str(result.reason)


@_case("graph", "a second node named `world_model`", "an error with the number of nodes, within seconds", fast=True)
def node_twice(robot: LiveRobot) -> None:
    with robot.other_node("world_model"):
        robot.report("2 nodes are named /world_model")
