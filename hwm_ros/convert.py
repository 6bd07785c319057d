"""Conversion between ROS messages and numpy arrays.

Received images are decoded by `hwm_core.data.recording.image_message`, which also decodes the images of bags.
"""

from array import array
from collections.abc import Sequence

import numpy as np
from builtin_interfaces.msg import Duration, Time
from numpy.typing import NDArray
from sensor_msgs.msg import Image, JointState
from std_msgs.msg import Header

from hwm_core.errors import BadActions
from hwm_ros.msg import ActionCandidates, ActionSequence, PredictedFrames

NANOSECONDS = 1_000_000_000


def stamp_ns(stamp: Time) -> int:
    """A ROS time in nanoseconds."""
    return int(stamp.sec) * NANOSECONDS + int(stamp.nanosec)


def time_of(nanoseconds: int) -> Time:
    """A ROS time from nanoseconds."""
    return Time(sec=nanoseconds // NANOSECONDS, nanosec=nanoseconds % NANOSECONDS)


def duration_of(nanoseconds: int) -> Duration:
    """A ROS duration from nanoseconds."""
    return Duration(sec=nanoseconds // NANOSECONDS, nanosec=nanoseconds % NANOSECONDS)


def header(nanoseconds: int, frame_id: str = "") -> Header:
    """A header with this stamp."""
    return Header(stamp=time_of(nanoseconds), frame_id=frame_id)


def packed(values: NDArray) -> array:
    """The values as an `array.array`, which rclpy copies fastest: an image takes 30 us, a numpy array 13 ms."""
    code = {np.dtype(np.uint8): "B", np.dtype(np.float32): "f"}[values.dtype]
    out = array(code)
    if values.size:  # a view of nothing cannot be cast
        out.frombytes(np.ascontiguousarray(values).data.cast("B"))
    return out


def image_message(rgb: NDArray[np.uint8], head: Header) -> Image:
    """An `rgb8` Image message from uint8 [H, W, 3]."""
    height, width, _ = rgb.shape
    return Image(header=head, height=height, width=width, encoding="rgb8", step=3 * width, data=packed(rgb))


def joint_message(names: Sequence[str], positions: NDArray, head: Header) -> JointState:
    """A JointState message from positions [A] in the units of the action manifest (rad, m, or a fraction)."""
    return JointState(header=head, name=list(names), position=array("d", np.asarray(positions, np.float64)))


def candidates_message(
    candidates: NDArray[np.float32], names: Sequence[str], head: Header, request_id: int = 0
) -> ActionCandidates:
    """An ActionCandidates message from candidates [S, F, A]; `names` [A] are the joints of the columns."""
    count, steps, joints = candidates.shape
    return ActionCandidates(
        header=head,
        request_id=request_id,
        joint_names=list(names),
        num_candidates=count,
        num_steps=steps,
        num_joints=joints,
        actions=packed(candidates.astype(np.float32, copy=False)),
    )


def sequence_message(actions: NDArray[np.float32], names: Sequence[str], head: Header) -> ActionSequence:
    """An ActionSequence message from actions [F, A]; `names` [A] are the joints of the columns."""
    steps, joints = actions.shape
    values = packed(actions.astype(np.float32, copy=False))
    return ActionSequence(header=head, joint_names=list(names), num_steps=steps, num_joints=joints, actions=values)


def read_candidates(message: ActionCandidates) -> NDArray[np.float32]:
    """The candidates [S, F, A] of a message.

    Raises:
        BadActions: a size is 0, or the sizes do not match the data or the joint names.
    """
    shape = (message.num_candidates, message.num_steps, message.num_joints)
    if 0 in shape or len(message.actions) != int(np.prod(shape)):
        raise BadActions(
            "candidates",
            expected=f"num_candidates x num_steps x num_joints = {' x '.join(map(str, shape))} values, no size 0",
            got=f"{len(message.actions)} values",
            remedy="Set the three sizes to the shape of the row-major array.",
        )
    if len(message.joint_names) != message.num_joints:
        raise BadActions(
            "candidates",
            expected=f"{message.num_joints} joint names (num_joints)",
            got=f"{len(message.joint_names)} names",
            remedy="Send one joint name per column.",
        )
    return np.frombuffer(message.actions, np.float32).reshape(shape)


def read_sequence(message: ActionSequence) -> NDArray[np.float32]:
    """The actions [F, A] of a message, with the columns in the message's order.

    Raises:
        BadActions: a size is 0, or the sizes do not match the data or the joint names.
    """
    shape = (message.num_steps, message.num_joints)
    if 0 in shape or len(message.actions) != shape[0] * shape[1] or len(message.joint_names) != shape[1]:
        raise BadActions(
            "an action sequence",
            expected="num_steps x num_joints values and num_joints names, no size 0",
            got=f"{' x '.join(map(str, shape))}, {len(message.actions)} values, {len(message.joint_names)} names",
            remedy="Set the two sizes to the shape of the row-major array.",
        )
    return np.frombuffer(message.actions, np.float32).reshape(message.num_steps, message.num_joints)


def frames_message(frames: NDArray[np.uint8], source: int, frame_rate_hz: float, head: Header) -> PredictedFrames:
    """A PredictedFrames message from RGB frames uint8 [S, F, H, W, 3]; `source`: HOLD, PLAN or REQUEST."""
    count, steps, height, width, _ = frames.shape
    return PredictedFrames(
        header=head,
        source=source,
        frame_rate_hz=frame_rate_hz,
        num_candidates=count,
        num_frames=steps,
        height=height,
        width=width,
        data=packed(frames),
    )
