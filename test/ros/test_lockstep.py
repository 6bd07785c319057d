"""Simulated robot, world model and planner: three processes over DDS in lockstep, with untrained weights."""

import numpy as np
import pytest
from untrained import save_untrained

pytest.importorskip("rclpy", reason="needs ROS 2")
from action_msgs.msg import GoalStatus
from hwm_ros.action import PlanActions
from hwm_ros.msg import ContextStatus, ErrorCode
from hwm_ros.srv import ResetSimulation
from rclpy.action import ActionClient
from rclpy.qos import DurabilityPolicy, QoSProfile
from ros_harness import Peer, process
from sensor_msgs.msg import Image, JointState

from hwm_core.sim.model import joints
from hwm_ros import convert

pytestmark = pytest.mark.ros

LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
SEED = 2_000_000
CONTEXT_FRAMES = 9
LIMIT = 1.2  # of all joints; some start a little outside
FRAME_S = 1 / 30


class Operator(Peer):
    """Sends goals to the planner and receives the messages of the three nodes."""

    def __init__(self) -> None:
        super().__init__()
        self.subscribe(Image, "/sim_robot/goal_image", LATCHED)
        self.subscribe(Image, "/head_camera/image_raw")
        self.subscribe(JointState, "/joint_commands", 200)
        self.subscribe(ContextStatus, "/world_model/context_status", 200)
        self.actions = ActionClient(self.node, PlanActions, "/mpc_planner/plan_actions")
        self.feedback: list[PlanActions.Feedback] = []

    def wait_for_nodes(self) -> None:
        self.until(self.actions.server_is_ready, "the planner")
        self.newest("/sim_robot/goal_image")
        self.until(lambda: self.received["/world_model/context_status"], "the world model's first status")

    def stamps_ns(self, topic: str) -> set[int]:
        """Stamps of all messages received on a topic."""
        return {convert.stamp_ns(message.header.stamp) for message in self.received[topic]}

    def send(self, **goal):
        self.feedback.clear()
        future = self.actions.send_goal_async(
            PlanActions.Goal(**goal), lambda message: self.feedback.append(message.feedback)
        )
        self.until(future.done, "the planner to accept or reject the goal")
        return future.result()

    def finish(self, handle):
        future = handle.get_result_async()
        self.until(future.done, "the result")
        return future.result()


@pytest.fixture(scope="module")
def operator(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lockstep")
    checkpoint = save_untrained(folder / "checkpoint", joints=joints().names, limit=LIMIT)
    search = {
        "search__proposals": 6,
        "search__refinements": 1,
        "search__variations": 4,
        "search__polish": False,
        "search__joints": ["left_shoulder_pitch", "right_shoulder_pitch"],
        "objective__lateness__weight": 0.0,
        "objective__joint_limits__margin": 0.49,  # joints are drawn to the middle, so every plan moves
    }
    peer = Operator()
    with (
        process("sim_robot", folder / "sim.txt", seed=SEED, camera_size=32, lockstep=True),
        process(
            "world_model", folder / "model.txt", checkpoint=checkpoint, dtype="float32", use_sim_time=True, **search
        ),
        process(
            "mpc_planner",
            folder / "planner.txt",
            publish_commands=True,
            lockstep=True,
            use_sim_time=True,
            replan_s=1 / 6,
            tracking_tolerance=1.0,  # an untrained model presses the arm onto the table
        ),
    ):
        peer.wait_for_nodes()
        yield peer
    peer.close()


def test_a_late_subscriber_receives_the_waiting_frame_and_its_joint_state(operator):
    frame = operator.newest("/head_camera/image_raw")
    operator.subscribe(JointState, "/joint_states")  # the robot waits for a command and has no new state
    assert operator.newest("/joint_states").header.stamp == frame.header.stamp
    operator.received["/head_camera/image_raw"].clear()
    assert operator.newest("/head_camera/image_raw").header.stamp == frame.header.stamp


def test_the_simulation_advances_one_step_per_frame_of_the_context_and_of_the_goal(operator):
    first_ns = convert.stamp_ns(operator.newest("/head_camera/image_raw").header.stamp)
    handle = operator.send(goal=operator.received["/sim_robot/goal_image"][-1], num_frames=12)
    answer = operator.finish(handle)
    assert (answer.status, answer.result.error_msg) == (GoalStatus.STATUS_SUCCEEDED, "")
    assert (answer.result.frames_done, answer.result.plans_made) == (12, 3)
    assert [message.frames_done for message in operator.feedback] == list(range(1, 13))

    # The first frame has no command before it, so it is not part of the context. 9 steps fill the context, 12 follow.
    # The frame after the last command may arrive after the result.
    def steps_until(image: Image) -> float:
        return (convert.stamp_ns(image.header.stamp) - first_ns) * 1e-9 / FRAME_S

    last = operator.newest("/head_camera/image_raw", lambda image: steps_until(image) > CONTEXT_FRAMES + 11.5)
    assert steps_until(last) == pytest.approx(CONTEXT_FRAMES + 12, abs=0.01)


def test_every_command_has_the_stamp_of_a_frame_and_respects_the_limits(operator):
    operator.finish(operator.send(num_frames=6))
    operator.until(
        lambda: operator.stamps_ns("/joint_commands") <= operator.stamps_ns("/head_camera/image_raw"),
        "the frame of every command",
    )
    positions = np.array([command.position for command in operator.received["/joint_commands"]])
    outside = np.maximum(abs(positions) - LIMIT, 0.0)
    assert outside[0].max() > 0.05 and (np.diff(outside, axis=0) <= 1e-6).all() and outside[-1].max() < 1e-6
    assert abs(np.diff(positions, axis=0)).max() <= 3.0 * FRAME_S + 1e-6


def test_no_image_is_lost_or_dropped(operator):
    def all_images_are_used() -> bool:
        status = operator.received["/world_model/context_status"][-1]
        return status.images_used == len(operator.stamps_ns("/head_camera/image_raw"))

    operator.until(all_images_are_used, "a status that counts every image")
    status = operator.received["/world_model/context_status"][-1]
    assert (status.images_dropped, status.frames_repeated, status.flushes_gap) == (0, 0, 0)


def test_a_running_goal_can_be_canceled_and_a_second_goal_is_rejected(operator):
    handle = operator.send(num_frames=10_000)
    assert handle.accepted
    assert not operator.send(num_frames=1).accepted
    cancel = handle.cancel_goal_async()
    operator.until(cancel.done, "the cancellation")
    answer = operator.finish(handle)
    assert (answer.status, answer.result.error_code) == (GoalStatus.STATUS_CANCELED, ErrorCode.CANCELED)


def test_a_goal_image_of_a_wrong_aspect_ratio_aborts_the_goal_with_the_reason(operator):
    wide = convert.image_message(np.zeros((16, 64, 3), np.uint8), convert.header(1))
    answer = operator.finish(operator.send(goal=wide, num_frames=1))
    assert (answer.status, answer.result.error_code) == (GoalStatus.STATUS_ABORTED, ErrorCode.BAD_IMAGE)


def test_after_a_reset_of_the_simulation_a_new_context_is_filled_and_the_next_goal_runs(operator):
    answer = operator.call(ResetSimulation, "/sim_robot/reset", ResetSimulation.Request(seed=SEED + 1))
    assert answer.error_code == ErrorCode.NONE
    assert 0.18 <= answer.palm_distance_m <= 0.35
    flushed = operator.newest("/world_model/context_status", lambda m: m.flushes_gap == 1)
    assert flushed.frames_held == 1
    others = ["neck_pitch", "right_wrist_pitch"]  # earlier goals have already moved the shoulders to the middle
    result = operator.finish(operator.send(goal=answer.goal, joints=others, num_frames=3)).result
    assert (result.error_msg, result.frames_done) == ("", 3)
