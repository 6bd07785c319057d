"""A world model and a robot in the test process, for tests of the planner."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from hwm_ros.action import PlanActions
from hwm_ros.msg import ActionSequence, ContextStatus, ErrorCode, ModelInfo
from hwm_ros.srv import MakePlan, SetGoal
from rcl_interfaces.srv import SetParameters
from rclpy.action import ActionClient
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.task import Future
from ros_harness import Peer, process
from sensor_msgs.msg import JointState

from hwm_ros import convert
from hwm_ros.distributions import is_humble

LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
PERIOD = 33_333_333
INFO = ModelInfo(
    joint_names=["left_elbow", "neck"],
    aliases=["left_elbow_joint"],
    alias_joints=["left_elbow"],
    lower=[-1.0, -1.0],
    upper=[1.0, 1.0],
    max_velocity=[3.0, 3.0],
    max_acceleration=[20.0, 20.0],
    scale=[0.1, 0.1],
    frame_rate_hz=30.0,
    past_frames=9,
    future_frames=24,
)
# A busy machine pauses planner and test for a moment. Only what a test stops by itself may end its goal.
PATIENT = {
    "tracking_lag_s": 1.5,
    "tracking_tolerance": 0.4,
    "camera_timeout_s": 1.5,
    "joints_timeout_s": 1.5,
    "model_timeout_s": 2.5,
}
_QUIET_S = 0.6  # longer than `command_timeout_s`: a planner that pauses for so long sends no further command
_START = {"left_elbow": 0.9, "neck": 0.2}


class FakeWorldModel(Peer):
    """Every plan leads to posture 0, and the robot follows. The service `set_goal` exists but never responds."""

    def __init__(self) -> None:
        super().__init__()
        self.silent = rclpy.create_node("silent", context=self.context)  # no executor spins it
        self.silent.create_service(SetGoal, "/world_model/set_goal", lambda request, response: response)
        self.info = self.node.create_publisher(ModelInfo, "/world_model/model_info", LATCHED)
        self.status = self.node.create_publisher(ContextStatus, "/world_model/context_status", 10)
        self.states = self.node.create_publisher(JointState, "/joint_states", 10)
        group = ReentrantCallbackGroup()
        self.node.create_service(MakePlan, "/world_model/plan", self._plan, callback_group=group)
        self.node.create_timer(0.03, self._tick)
        self.sent_s: dict[str, list[float]] = {}  # when the planner has sent every message of these topics
        self._receive("/mpc_planner/shadow_commands", lambda _: None)
        self._receive("/joint_commands", self._follow)
        self.subscribe(DiagnosticArray, "/diagnostics", 200)
        self.subscribe(ActionSequence, "/mpc_planner/plan")
        self.connect()
        self.joint_states: list[dict[str, float]] = []  # one message each, published at every tick
        self.be_plain()
        self.requests: list[MakePlan.Request] = []
        self.now_ns = self.frame_ns = 1_000_000_000
        self._ticks = 0
        self.info.publish(INFO)

    def be_plain(self) -> None:
        """Publish everything, answer at once, and follow commands, whatever the test before asked for."""
        self.blocked = False  # the robot does not move
        self.wall = -math.inf  # where the left elbow stops
        self.stopped: set[str] = set()  # "joints", "camera", "status": what is not published any more
        self.stamped = True  # whether joint states have stamps
        self.waiting: Future | None = None  # completed: the requests that wait for it are answered
        self.answer: dict[str, object] = {}  # fields of the response that differ, or functions of the header
        self.reported: dict[str, object] = {}  # fields of the status that differ
        self.age_ns = 0  # of the frame that a plan starts from

    def connect(self) -> None:
        """Make the client of the planner."""
        self.actions = ActionClient(self.node, PlanActions, "/mpc_planner/plan_actions")

    def close(self) -> None:
        self.silent.destroy_node()
        super().close()

    def _receive(self, topic: str, act: Callable[[JointState], None]) -> None:
        """Store the messages of a topic, and when they were sent: the test may read them much later."""
        sent_s = self.sent_s.setdefault(topic, [])

        def store(message: JointState, info: dict[str, int]) -> None:
            sent_s.append(info["source_timestamp"] * 1e-9)
            self.received[topic].append(message)
            act(message)

        def arrived(message: JointState) -> None:
            store(message, {"source_timestamp": time.time_ns()})

        self.node.create_subscription(JointState, topic, arrived if is_humble() else store, 200)

    def _follow(self, command: JointState) -> None:
        for joints in self.joint_states:
            for name, position in zip(command.name, command.position, strict=True):
                if name in joints and not self.blocked:
                    joints[name] = max(position, self.wall) if name == "left_elbow" else position

    def _tick(self) -> None:
        self._ticks += 1
        self.now_ns += PERIOD
        for joints in self.joint_states if "joints" not in self.stopped else []:
            self.states.publish(
                JointState(
                    header=convert.header(self.now_ns if self.stamped else 0),
                    name=list(joints),
                    position=list(joints.values()),
                )
            )
        if "camera" not in self.stopped:
            self.frame_ns = self.now_ns
        if "status" in self.stopped:
            return
        head = convert.header(self.frame_ns)
        plain = {"image_stamp": head.stamp, "image_period_s": 1 / 30, "ready": True, "compares_images": True}
        self.status.publish(ContextStatus(header=head, **plain | self.reported))

    async def _plan(self, request: MakePlan.Request, response: MakePlan.Response) -> MakePlan.Response:
        self.requests.append(request)
        head = convert.header(self.now_ns - self.age_ns)
        if self.waiting is not None:
            await self.waiting
        response.plan = convert.sequence_message(np.zeros((24, 2), np.float32), INFO.joint_names, head)
        response.source, response.cost_of_holding, response.observed_cost = "joint move", 1.0, 0.9
        for field, value in self.answer.items():
            setattr(response, field, value(head) if callable(value) else value)
        return response

    def forget(self) -> None:
        """Forget what the planner has published."""
        for topic in ("/joint_commands", "/diagnostics", "/mpc_planner/plan", "/mpc_planner/shadow_commands"):
            self.received[topic].clear()
        for sent_s in self.sent_s.values():
            sent_s.clear()

    def recover(self) -> float:
        """Answer as usual again; seconds until the planner has ended what it did and another goal is completed."""
        began = time.monotonic()
        self.be_plain()
        standing(self)
        while not (handle := self.send(num_frames=1)).accepted:
            self.spin(0.1)
        result = self.result(handle).result
        assert result.error_code == ErrorCode.NONE, result.error_msg
        return time.monotonic() - began

    def fall_silent(self) -> None:
        """Wait until the planner sends no commands any more."""
        commands, began_s, began, count = self.received["/joint_commands"], 0.0, 0, -1

        def is_silent() -> bool:
            nonlocal began_s, began, count
            if count != len(commands):
                began_s, began, count = time.monotonic(), self._ticks, len(commands)
            # Ticks too: after a pause of the test, commands may wait to be read.
            return time.monotonic() - began_s > _QUIET_S and self._ticks - began > 4

        self.until(is_silent, "the planner to fall silent")

    def run_ticks(self, count: int) -> None:
        """Wait until everything was published so often."""
        end = self._ticks + count
        self.until(lambda: self._ticks > end, "ticks")

    def place(self, *joint_states: dict[str, float]) -> None:
        """The robot stands there, in one message each, and the planner has been told."""
        self.fall_silent()
        self.joint_states = list(joint_states)
        self.run_ticks(5)
        self.received["/joint_commands"].clear()
        self.sent_s["/joint_commands"].clear()

    def follow(self, positions: dict[str, float] | None = None, **goal):
        """A running goal that moves the robot, from these positions."""
        self.place(_START | (positions or {}))
        handle = self.send(**{"num_frames": 600, **goal})
        self.until(lambda: len(self.received["/joint_commands"]) > 8, "commands")
        return handle

    def wait_for_planner(self) -> None:
        """Wait until DDS has connected all topics and services: the first messages would be lost."""
        self.joint_states = [dict(_START)]

        def moves() -> bool:
            if (handle := self.send(num_frames=1)).accepted:
                self.result(handle)
            return bool(self.received["/joint_commands"])

        self.until(moves, "commands")
        self.fall_silent()
        self.forget()
        self.requests.clear()

    def set_parameter(self, name: str, value: object):
        """The answer of the planner to `ros2 param set`."""
        request = SetParameters.Request(parameters=[Parameter(name, value=value).to_parameter_msg()])
        return self.call(SetParameters, "/mpc_planner/set_parameters", request).results[0]

    def send(self, **goal):
        self.until(self.actions.server_is_ready, "the planner")
        future = self.actions.send_goal_async(PlanActions.Goal(**goal))
        self.until(future.done, "the planner to accept or reject the goal")
        return future.result()

    def result(self, handle):
        future = handle.get_result_async()
        self.until(future.done, "the result")
        return future.result()


@contextmanager
def moving_planner(folder: Path, **settings: object) -> Iterator[FakeWorldModel]:
    """The world model of a planner, in a process of its own, that moves the robot."""
    peer = FakeWorldModel()
    times = {"frame_timeout_s": 3.0, "deadline_s": 0.5, "hold_s": 0.3, **PATIENT}
    try:
        with process("mpc_planner", folder / "planner.txt", **{"publish_commands": True, **times, **settings}):
            peer.wait_for_planner()
            yield peer
    finally:
        peer.close()


def standing(model):
    model.joint_states = [{"left_elbow": 0.1, "neck": 0.2}]
    return model


def assert_within_limits(model: FakeWorldModel) -> None:
    """All received commands keep the limits of INFO. After a pause of a busy machine, the robot stands."""
    positions = np.array([command.position for command in model.received["/joint_commands"]])
    pauses = np.diff(model.sent_s["/joint_commands"][-len(positions) :]) > 2 / 30
    steps = np.diff(positions, axis=0)
    assert np.abs(steps).max() <= 3.0 / 30 + 1e-6
    changes = np.abs(np.diff(steps, axis=0)).max(axis=1)
    assert changes[~(pauses[1:] | pauses[:-1])].max(initial=0.0) <= 20.0 / 30**2 + 1e-6
