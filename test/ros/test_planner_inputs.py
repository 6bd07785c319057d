"""What a plan still waits for. No DDS."""

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")
from hwm_ros.msg import ContextStatus, ModelInfo

from hwm_ros import convert
from hwm_ros.planner_inputs import PlannerInputs
from hwm_ros.planner_parameters import MpcPlannerParameters

pytestmark = pytest.mark.ros

CAMERA_NS = 1_700_000_000_000_000_000


class Bench:
    """A model of two joints, and a camera frame at `CAMERA_NS`."""

    def __init__(self, **settings):
        self.now = 50.0
        self.inputs = PlannerInputs(MpcPlannerParameters(**settings), lambda: self.now)
        self.inputs.info = ModelInfo(joint_names=["neck", "elbow"])
        self.inputs.status = ContextStatus(image_stamp=convert.time_of(CAMERA_NS))

    def arrive(self, stamp_ns, *names):
        self.inputs.joints.add(convert.joint_message(list(names), np.zeros(len(names)), convert.header(stamp_ns)))

    def missing(self):
        return self.inputs.missing(services_are_ready=True)


@pytest.mark.parametrize(("source", "stamp_ns"), [("header", 0), ("receive", 0), ("receive", 10**9)])
def test_joint_states_without_a_usable_stamp_count_by_the_arrival_of_the_oldest_value(source, stamp_ns):
    bench = Bench(stamp_source=source)
    bench.arrive(stamp_ns, "neck")
    bench.arrive(stamp_ns, "elbow")
    assert bench.missing() == ""
    bench.now += 0.6
    bench.arrive(stamp_ns, "elbow")
    assert "0.6 s ago" in bench.missing(), "the neck is old"
    bench.arrive(stamp_ns, "neck")
    assert bench.missing() == ""


def test_stamps_far_behind_the_camera_are_refused_with_the_parameter_that_helps():
    bench = Bench()
    bench.arrive(CAMERA_NS - 10**9, "neck", "elbow")
    assert "1.0 s behind the camera" in bench.missing() and "stamp_source" in bench.missing()


def test_in_lockstep_joint_states_without_a_stamp_may_pause():
    bench = Bench(lockstep=True)
    bench.arrive(0, "neck", "elbow")
    bench.now += 5.0
    assert bench.missing() == ""
