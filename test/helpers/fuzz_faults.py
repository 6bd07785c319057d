"""A thousand random messages on each input of a world_model node."""

import numpy as np
from builtin_interfaces.msg import Time
from fault_case import FaultTable
from hwm_ros.msg import ActionCandidates, ErrorCode
from live_robot import LiveRobot
from sensor_msgs.msg import Image, JointState
from std_msgs.msg import Header
from untrained import JOINTS

FUZZ_FAULTS = FaultTable()
_case = FUZZ_FAULTS.case
_ENCODINGS = ("rgb8", "bgr8", "mono8", "mono16", "bayer_rggb8", "yuv422", "32FC1", "", "rgb8; jpeg")
_VALUES = (0.0, -0.0, 1.0, 1e30, -1e30, float("nan"), float("inf"), float("-inf"))
_NAMES = (*JOINTS, "", "wheel", "neck_yaw ")
_COUNT = 1000


def _header(rng: np.random.Generator, robot: LiveRobot) -> Header:
    times = (Time(), Time(sec=2**31 - 1, nanosec=2**32 - 1), Time(sec=-(2**31)), _time(robot, rng))
    return Header(stamp=times[rng.integers(4)], frame_id="x" * int(rng.integers(3)))


def _time(robot: LiveRobot, rng: np.random.Generator) -> Time:
    stamp_ns = robot.stamp_ns() + int(rng.integers(-(10**10), 10**10))
    return Time(sec=stamp_ns // 10**9, nanosec=stamp_ns % 10**9)


@_case("fuzz", "1,000 images with random size, encoding, length and stamp", "rejected and counted; the node goes on")
def fuzz_images(robot: LiveRobot) -> None:
    rng, rejected = np.random.default_rng(1), robot.status().images_dropped
    robot.every["camera"] = 0
    for _ in range(_COUNT):
        height, width, step = (int(value) for value in rng.choice([0, 1, 2, 32, 33, 2**32 - 1], 3))
        encoding, data = str(rng.choice(_ENCODINGS)), rng.bytes(int(rng.integers(0, 4000)))
        fields = {"height": height, "width": width, "step": step, "encoding": encoding, "data": data}
        robot.image.publish(Image(header=_header(rng, robot), is_bigendian=int(rng.integers(2)), **fields))
        robot.spin(0.002)
    robot.status(lambda s: s.images_dropped > rejected)


@_case("fuzz", "1,000 joint states with random names, values and stamps", "rejected and counted; the node goes on")
def fuzz_joints(robot: LiveRobot) -> None:
    rng, rejected = np.random.default_rng(2), robot.status().joint_messages_dropped
    for _ in range(_COUNT):
        names = [str(name) for name in rng.choice(_NAMES, rng.integers(0, 6))]
        positions = [float(value) for value in rng.choice(_VALUES, rng.integers(0, 6))]
        robot.states.publish(JointState(header=_header(rng, robot), name=names, position=positions))
        robot.spin(0.002)
    robot.status(lambda s: s.joint_messages_dropped > rejected)


@_case("fuzz", "1,000 candidates with random sizes, names and values", "an error each, never `INTERNAL`")
def fuzz_candidates(robot: LiveRobot) -> None:
    rng = np.random.default_rng(3)
    publisher = robot.node.create_publisher(ActionCandidates, "/world_model/candidates", 10)
    robot.until(publisher.get_subscription_count, "the node's subscription")
    for number in range(_COUNT):
        sizes = [int(value) for value in rng.choice([0, 1, 3, 24, 2**31, 2**32 - 1], 2)]
        actions = rng.choice(np.array(_VALUES, np.float32), rng.integers(0, 80)).astype(np.float32).tolist()
        names = [str(name) for name in rng.choice(_NAMES, rng.integers(0, 5))]
        publisher.publish(
            ActionCandidates(
                request_id=number,
                joint_names=names,
                num_candidates=sizes[0],
                num_steps=sizes[1],
                num_joints=len(names),
                actions=actions,
            )
        )
        robot.spin(0.002)
    answers = robot.received["/world_model/scores"]
    robot.until(lambda: answers and answers[-1].request_id > 0.9 * _COUNT, "the last answers")
    assert {answer.error_code for answer in answers} <= {
        ErrorCode.NONE,
        ErrorCode.BAD_ACTIONS,
        ErrorCode.ROBOT_MISMATCH,
        ErrorCode.NO_GOAL,
        ErrorCode.NO_CONTEXT,
        ErrorCode.BUSY,
    }
    robot.node.destroy_publisher(publisher)
