"""The table of faults over DDS with real nodes: each is answered as the table says, and the next request succeeds.

`pytest -m "ros" test/ros/test_faults.py --record-faults` writes the measured times to benchmarks/results/faults.json.
"""

import json
from contextlib import ExitStack, contextmanager

import pytest
from untrained import save_untrained

pytest.importorskip("rclpy", reason="needs ROS 2")
from fake_world_model import moving_planner
from fault_case import measured
from fuzz_faults import FUZZ_FAULTS
from kill_faults import KILL_FAULTS
from live_robot import live_robot
from planner_faults import PLANNER_FAULTS
from real_stack import RealStack
from request_faults import REQUEST_FAULTS
from stream_faults import STREAM_FAULTS

from benchmarks.node.faults import record_fault

pytestmark = pytest.mark.ros

TABLES = (STREAM_FAULTS, FUZZ_FAULTS, REQUEST_FAULTS, PLANNER_FAULTS, KILL_FAULTS)


@contextmanager
def slow_searcher(folder):
    """A robot whose world model searches for minutes for a plan."""
    parameters = {"requests__per_sender": 4, "search__proposals": 16, "search__refinements": 100_000}
    with live_robot(folder, save_untrained(folder / "checkpoint", kind="states"), **parameters) as peer:
        yield peer


@contextmanager
def real_stack(folder):
    peer = RealStack(folder)
    try:
        peer.recover()
        yield peer
    finally:
        peer.close()


@pytest.fixture(scope="module")
def runs_alone(tmp_path_factory):
    """Starts peers, and ends the one before: they publish on the same topics."""
    running, current = ExitStack(), [None]

    def use(start, **settings):
        if start is not current[0]:
            running.close()
            current[:] = start, running.enter_context(start(tmp_path_factory.mktemp("peer"), **settings))
        return current[1]

    with running:
        yield use


@pytest.fixture
def robot(runs_alone):
    return runs_alone(slow_searcher)


@pytest.fixture
def model(runs_alone):
    return runs_alone(moving_planner, answer_timeout_s=5.0)


@pytest.fixture
def stack(runs_alone):
    return runs_alone(real_stack)


@pytest.fixture
def keep(request):
    """Stores a measured row where the option asks for it."""
    return record_fault if request.config.getoption("--record-faults") else json.dumps


@pytest.mark.parametrize("case", STREAM_FAULTS.parameters() + FUZZ_FAULTS.parameters())
def test_the_world_model_reports_a_fault_of_its_inputs_and_recovers(robot, case, keep):
    keep(measured(case, robot))


@pytest.mark.parametrize("case", REQUEST_FAULTS.parameters())
def test_the_world_model_answers_a_bad_request_and_the_next_one_succeeds(robot, case, keep):
    keep(measured(case, robot))


@pytest.mark.parametrize("case", PLANNER_FAULTS.parameters())
def test_the_planner_ends_a_goal_with_the_code_of_the_fault_and_the_next_goal_runs(model, case, keep):
    keep(measured(case, model))


@pytest.mark.parametrize("case", KILL_FAULTS.parameters())
def test_after_kill_9_of_a_process_the_others_report_it_and_go_on_with_its_successor(stack, case, keep):
    keep(measured(case, stack))


def test_the_table_has_at_least_forty_faults_each_with_a_name_of_its_own():
    names = [case.name for table in TABLES for case in table.cases]
    rows = [(case.group, case.sent) for table in TABLES for case in table.cases]
    assert len(rows) >= 40 and len(set(rows)) == len(rows) == len({(t, n) for t, n in zip(rows, names)})
