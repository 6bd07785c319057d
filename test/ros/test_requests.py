"""Requests to a busy world_model node: bounds, turns, cancellation, resets and goals. Real DDS, untrained weights."""

import pytest
from untrained import save_untrained

pytest.importorskip("rclpy", reason="needs ROS 2")
from hwm_ros.msg import ActionCandidates, ErrorCode
from hwm_ros.srv import CancelRequests, MakePlan, ResetContext, ScoreActions, SetGoal
from ros_robot import GOAL, robot_of, some_candidates

from hwm_ros.qos import REQUESTS

pytestmark = pytest.mark.ros


@pytest.fixture(scope="module")
def robot(tmp_path_factory):
    """A robot with an active node whose plans take minutes."""
    folder = tmp_path_factory.mktemp("node")
    parameters = {
        "requests__per_sender": 4,
        "requests__waiting": 12,
        "requests__timeout_s": 600.0,
        "search__proposals": 16,
        "search__refinements": 100_000,
    }
    with robot_of(folder, save_untrained(folder / "checkpoint"), **parameters) as peer:
        yield peer


@pytest.fixture
def busy(robot):
    """The robot while the node searches for a plan for the sender `slow`; the future of the plan."""
    robot.call(SetGoal, "/world_model/set_goal", SetGoal.Request(goal=GOAL))
    robot.fill()
    # The answer to a bad request shows that the one before, to the same service, has been received.
    requests = [MakePlan.Request(sender="slow"), MakePlan.Request(deadline_s=-1.0)]
    robot.plan, bad = ask(robot, MakePlan, "plan", requests)
    robot.until(bad.done, "the answer to a bad request")
    assert bad.result().error_code == ErrorCode.BAD_REQUEST and not robot.plan.done()
    robot.until(lambda: robot.tick().requests_waiting == 0, "the search")
    yield robot
    cancel(robot)
    robot.until(robot.plan.done, "the end of the plan")


def ask(robot, kind, service, requests):
    client = robot.node.create_client(kind, f"/world_model/{service}", qos_profile=REQUESTS)
    robot.until(client.service_is_ready, service)
    return [client.call_async(request) for request in requests]


def cancel(robot, sender=""):
    return robot.call(CancelRequests, "/world_model/cancel_requests", CancelRequests.Request(sender=sender))


def codes(robot, futures):
    robot.until(lambda: all(future.done() for future in futures), "all answers")
    return [future.result().scores.error_code for future in futures]


def test_a_flood_is_answered_with_busy_and_images_are_received_meanwhile(busy):
    flood = ask(busy, ScoreActions, "score_actions", [ScoreActions.Request(candidates=some_candidates())] * 60)
    busy.until(lambda: sum(future.done() for future in flood) >= 56, "the rejected requests")
    assert {f.result().scores.error_code for f in flood if f.done()} == {ErrorCode.BUSY}
    assert busy.tick().requests_waiting == 4
    report = busy.newest("/diagnostics", lambda m: any(v.key == "requests_busy" for v in m.status[0].values))
    values = {value.key: value.value for value in report.status[0].values}
    assert int(values["requests_waiting"]) <= 4
    cancel(busy, "slow")
    assert codes(busy, flood).count(ErrorCode.NONE) == 4


def test_a_canceled_plan_frees_the_model_within_one_pass_and_the_others_wait_on(busy):
    waiting = ask(busy, ScoreActions, "score_actions", [ScoreActions.Request(candidates=some_candidates())])
    assert cancel(busy, "nobody").num_canceled == 0
    assert cancel(busy, "slow").num_canceled == 1
    busy.until(busy.plan.done, "the canceled plan")
    assert busy.plan.result().error_code == ErrorCode.CANCELED
    assert codes(busy, waiting) == [ErrorCode.NONE]


def test_a_reset_cancels_what_uses_the_context(busy):
    waiting = ask(busy, ScoreActions, "score_actions", [ScoreActions.Request(candidates=some_candidates())] * 2)
    busy.until(lambda: busy.tick().requests_waiting == 2, "both requests")
    assert busy.call(ResetContext, "/world_model/reset_context", ResetContext.Request()).error_code == ErrorCode.NONE
    busy.until(busy.plan.done, "the canceled plan")
    assert busy.plan.result().error_code == ErrorCode.CANCELED
    assert codes(busy, waiting) == [ErrorCode.CANCELED] * 2
    status = busy.tick()
    assert (status.frames_held, status.requests_waiting) == (1, 0)


def test_every_publisher_of_candidates_gets_its_turn(busy):
    publishers = [busy.node.create_publisher(ActionCandidates, "/world_model/candidates", 10) for _ in range(3)]
    busy.until(lambda: all(p.get_subscription_count() for p in publishers), "the node's subscription")
    for round_ in range(3):
        for who, publisher in enumerate(publishers):
            publisher.publish(some_candidates(request_id=10 * who + round_))
        busy.tick()
    replaced = {who * 10 + round_ for who in range(3) for round_ in range(2)}
    answers = busy.received["/world_model/scores"]
    busy.until(lambda: replaced <= {a.request_id for a in answers}, "the replaced requests")
    cancel(busy, "slow")
    busy.until(lambda: len({a.request_id for a in answers}) == 9, "all scores")
    served = {a.request_id: a.error_code for a in answers}
    assert {id_ for id_, code in served.items() if code == ErrorCode.NONE} == {2, 12, 22}
    for publisher in publishers:
        busy.node.destroy_publisher(publisher)


def test_another_goal_image_is_noticed_by_its_version_and_a_goal_that_travels_is_not_affected(robot):
    own = robot.call(SetGoal, "/world_model/set_goal", SetGoal.Request(goal=GOAL)).goal_version
    status = robot.fill()
    assert status.goal_version == own > 0
    other = robot.call(SetGoal, "/world_model/set_goal", SetGoal.Request(goal=GOAL)).goal_version
    assert robot.tick().goal_version == other != own
    answer = robot.call(MakePlan, "/world_model/plan", MakePlan.Request(goal_version=own))
    assert answer.error_code == ErrorCode.GOAL_CHANGED
    assert "another goal was set" in answer.error_msg
    travels = ask(robot, MakePlan, "plan", [MakePlan.Request(goal=GOAL, goal_version=own, sender="robot")])[0]
    robot.until(lambda: robot.tick() and cancel(robot, "robot").num_canceled, "the search")
    robot.until(travels.done, "the canceled search")
    assert travels.result().error_code == ErrorCode.CANCELED, "it was not rejected for its version"
