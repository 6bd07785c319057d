"""Faults of what a world_model node receives: images, joint states, clocks."""

import time
from collections.abc import Callable

import numpy as np
from fault_case import FaultTable
from hwm_ros.msg import ContextStatus, ErrorCode
from live_robot import STATUS, LiveRobot
from sensor_msgs.msg import JointState
from std_msgs.msg import Empty, String
from untrained import JOINTS

from hwm_ros import convert

STREAM_FAULTS = FaultTable()
_case = STREAM_FAULTS.case
ZERO = convert.time_of(0)
_LOST_S = 3.0
_OTHER_ROBOT = ["left_hip", "left_knee", "left_ankle"]


def _rejected(robot: LiveRobot, code: int, *words: str) -> None:
    """The status has this code, this reason and the number of rejections, and so have the diagnostics."""
    status = robot.status(lambda s: not s.ready and s.error_code == code)
    assert all(word in status.error_msg for word in words), status.error_msg
    assert status.last_rejection_count > 0 and status.last_rejection
    robot.report(*words)


def _goes_on(robot: LiveRobot, frames: int = 30) -> None:
    """The context stays ready for so many images, but for single frames whose joint states are on their way."""
    first = robot.status()
    last = robot.status(lambda s: s.ready and s.images_used >= first.images_used + frames)
    assert last.images_dropped == first.images_dropped
    assert np.mean([status.ready for status in robot.received["/world_model/context_status"]]) > 0.7


def _late_until(robot: LiveRobot, stream: str, counted: Callable[[ContextStatus], bool]) -> None:
    """Publish a late message, and another one after seconds in which none was counted: a single one may be lost."""
    sent_s = 0.0

    def is_counted() -> bool:
        nonlocal sent_s
        if time.monotonic() - sent_s > _LOST_S:
            robot.late.add(stream)
            sent_s = time.monotonic()
        return any(map(counted, robot.received[STATUS]))

    robot.until(is_counted, "a late message to be counted")


# ---------------------------------------------------------------- images


@_case("images", "data shorter than height x step", "`BAD_IMAGE`; counted as dropped")
def image_data_cut(robot: LiveRobot) -> None:
    robot.image_fields["data"] = [0] * 30
    _rejected(robot, ErrorCode.BAD_IMAGE, "Images", "truncated")


@_case("images", "an encoding of floats, `32FC3`", "`BAD_IMAGE` with the encoding")
def image_encoding_of_floats(robot: LiveRobot) -> None:
    robot.image_fields["encoding"] = "32FC3"
    _rejected(robot, ErrorCode.BAD_IMAGE, "32FC3")


@_case("images", "an encoding that does not exist", "`BAD_IMAGE` with the encoding")
def image_encoding_unknown(robot: LiveRobot) -> None:
    robot.image_fields["encoding"] = "colour"
    _rejected(robot, ErrorCode.BAD_IMAGE, "colour")


@_case("images", "another aspect ratio, 64x16", "`BAD_IMAGE` with both ratios")
def image_aspect(robot: LiveRobot) -> None:
    robot.image_fields |= {"width": 64, "height": 16, "step": 192}
    _rejected(robot, ErrorCode.BAD_IMAGE, "64x16")


@_case("images", "0x0 pixels", "`BAD_IMAGE`")
def image_empty(robot: LiveRobot) -> None:
    robot.image_fields |= {"width": 0, "height": 0, "step": 0, "data": []}
    _rejected(robot, ErrorCode.BAD_IMAGE, "Images")


@_case("images", "stamps of zero", "`BAD_IMAGE`, with the parameter `zero_stamps` in the documentation")
def image_zero_stamps(robot: LiveRobot) -> None:
    robot.image_fields["stamp"] = ZERO
    _rejected(robot, ErrorCode.BAD_IMAGE, "stamp")


@_case("images", "resolution changes from 32x32 to 96x96", "used; the context stays ready")
def image_resolution(robot: LiveRobot) -> None:
    robot.size = 96
    _goes_on(robot)


@_case("images", "encoding changes from `rgb8` to `bgr8`", "used; the context stays ready")
def image_encoding_changes(robot: LiveRobot) -> None:
    robot.image_fields["encoding"] = "bgr8"
    _goes_on(robot)


@_case("images", "`frame_id` changes", "used; the status has the new name")
def image_frame_id(robot: LiveRobot) -> None:
    robot.image_fields["frame_id"] = "wrist"
    robot.status(lambda s: s.ready and s.header.frame_id == "wrist")


@_case("images", "one image 150 ms late", "dropped alone; the context stays ready", fast=True)
def image_late_once(robot: LiveRobot) -> None:
    before = robot.status().images_dropped
    _late_until(robot, "camera", lambda s: s.images_dropped > before)
    assert "stamp" in robot.status(lambda s: s.ready and s.images_dropped > before).last_rejection


@_case("images", "every second image is lost", "the frame before is repeated; the context stays ready")
def image_every_second(robot: LiveRobot) -> None:
    before = robot.status().frames_repeated
    robot.every["camera"] = 2
    robot.status(lambda s: s.ready and s.frames_repeated > before + 8)


@_case("images", "the camera falls silent", "`NO_CONTEXT` with topic and time of silence", fast=True)
def camera_silent(robot: LiveRobot) -> None:
    robot.every["camera"] = 0
    status = robot.status(lambda s: not s.ready and "they stopped" in s.error_msg)
    assert status.error_code == ErrorCode.NO_CONTEXT and "/head_camera/image_raw" in status.error_msg
    robot.report("Images", "they stopped")


@_case("images", "a camera pauses for 0.7 s", "the context is emptied and counted, and fills again")
def camera_pauses(robot: LiveRobot) -> None:
    before = robot.status().flushes_gap
    robot.every["camera"] = 0
    robot.spin(0.7)
    robot.every["camera"] = 1
    robot.status(lambda s: s.flushes_gap > before and s.ready)


@_case("images", "the stamp of the camera stands still", "a warning in the diagnostics, with the remedy", fast=True)
def camera_stamp_frozen(robot: LiveRobot) -> None:
    robot.image_fields["stamp"] = convert.time_of(robot.stamp_ns())  # an older one would be rejected
    robot.report("Images", "stand still")


@_case("images", "a publisher of `std_msgs/String` on the image topic", "reported with both types and its node")
def camera_of_another_type(robot: LiveRobot) -> None:
    with robot.other_node("speaker") as speaker:  # a process has one type per topic
        speaker.create_publisher(String, "/head_camera/image_raw", 10)
        robot.report("std_msgs/msg/String", "speaker")


# ---------------------------------------------------------------- joint states


@_case("joints", "one value is NaN", "`BAD_ACTIONS`; counted as dropped", fast=True)
def joint_nan(robot: LiveRobot) -> None:
    robot.joint_fields["position"] = [0.0, float("nan"), 0.0]
    _rejected(robot, ErrorCode.BAD_ACTIONS, "Joint states")


@_case("joints", "all values are infinite", "`BAD_ACTIONS`")
def joint_infinite(robot: LiveRobot) -> None:
    robot.joint_fields["position"] = [float("inf")] * 3
    _rejected(robot, ErrorCode.BAD_ACTIONS, "Joint states")


@_case("joints", "fewer positions than names", "`BAD_ACTIONS` with both numbers")
def joint_positions_cut(robot: LiveRobot) -> None:
    robot.joint_fields["position"] = [0.0]
    _rejected(robot, ErrorCode.BAD_ACTIONS, "Joint states")


@_case("joints", "a name twice", "`ROBOT_MISMATCH`")
def joint_name_twice(robot: LiveRobot) -> None:
    robot.joint_fields["name"] = [JOINTS[0], JOINTS[0], JOINTS[2]]
    _rejected(robot, ErrorCode.ROBOT_MISMATCH, JOINTS[0])


@_case("joints", "names of another robot", "`ROBOT_MISMATCH` with the missing names")
def joint_names_of_another_robot(robot: LiveRobot) -> None:
    robot.joint_fields["name"] = _OTHER_ROBOT
    _rejected(robot, ErrorCode.ROBOT_MISMATCH, JOINTS[0])


@_case("joints", "one joint is missing from now on", "`NO_CONTEXT` with the time of its newest value")
def joint_dropped(robot: LiveRobot) -> None:
    robot.joint_fields |= {"name": list(JOINTS[:2]), "position": [0.0, 0.0]}
    status = robot.status(lambda s: not s.ready)
    assert status.error_code == ErrorCode.NO_CONTEXT and "joint states" in status.error_msg


@_case("joints", "the names change their order", "matched by name; the context stays ready")
def joint_order(robot: LiveRobot) -> None:
    robot.joint_fields["name"] = list(reversed(JOINTS))
    _goes_on(robot)


@_case("joints", "stamps of zero", "`BAD_ACTIONS`")
def joint_zero_stamps(robot: LiveRobot) -> None:
    robot.joint_fields["stamp"] = ZERO
    _rejected(robot, ErrorCode.BAD_ACTIONS, "stamp")


@_case("joints", "one joint state 150 ms late", "dropped alone; the context stays ready")
def joint_late_once(robot: LiveRobot) -> None:
    before = robot.status().joint_messages_dropped
    _late_until(robot, "joints", lambda s: s.joint_messages_dropped > before)
    robot.status(lambda s: s.ready)


@_case("joints", "joint states fall silent", "`NO_CONTEXT` with topic and time of silence", fast=True)
def joints_silent(robot: LiveRobot) -> None:
    robot.every["joints"] = 0
    status = robot.status(lambda s: not s.ready and "they stopped" in s.error_msg)
    assert status.error_code == ErrorCode.NO_CONTEXT and "/joint_states" in status.error_msg


@_case("joints", "joint states at 15 Hz, half the camera's rate", "interpolated; requests are answered")
def joints_slow(robot: LiveRobot) -> None:
    robot.every["joints"] = 2
    robot.spin(1.0)
    robot.forget()
    robot.spin(1.0)
    statuses = robot.received["/world_model/context_status"]
    assert np.mean([status.ready for status in statuses]) > 0.7


@_case("joints", "a second publisher of the same joints", "a warning with the names; the first one's values count")
def joints_contested(robot: LiveRobot) -> None:
    second = robot.node.create_publisher(JointState, "/joint_states", 50)
    timer = robot.node.create_timer(
        0.03,
        lambda: second.publish(convert.joint_message(JOINTS, np.full(3, 0.9), convert.header(robot.stamp_ns()))),
    )
    robot.report("several publishers", JOINTS[0])
    robot.node.destroy_timer(timer)
    robot.node.destroy_publisher(second)


# ---------------------------------------------------------------- clocks


@_case("clocks", "all stamps jump back by 10 s", "the context is emptied and counted, and fills again")
def clock_back(robot: LiveRobot) -> None:
    before = robot.status().flushes_clock
    robot.offset_s = -10.0
    robot.status(lambda s: s.flushes_clock > before and s.ready)


@_case("clocks", "all stamps jump forward by 10 s", "the context is emptied and counted, and fills again")
def clock_forward(robot: LiveRobot) -> None:
    before = robot.status().flushes_gap
    robot.offset_s = 10.0
    robot.status(lambda s: s.flushes_gap > before and s.ready)


@_case("clocks", "all stamps an hour ahead", "a warning with the distance and the remedy")
def clock_ahead(robot: LiveRobot) -> None:
    robot.offset_s = 3600.0
    robot.report("ahead of", "use_sim_time")


@_case("clocks", "all stamps years old", "a warning with the distance and the remedy")
def clock_old(robot: LiveRobot) -> None:
    robot.offset_s = -10 * 365 * 86400.0
    robot.report("years behind", "use_sim_time")


@_case("clocks", "a message on `recording/cut`", "the context starts again")
def recording_cut(robot: LiveRobot) -> None:
    before = robot.status().flushes_cut
    robot.cut.publish(Empty())
    robot.status(lambda s: s.flushes_cut > before and s.ready)
