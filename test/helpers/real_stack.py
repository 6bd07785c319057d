"""Simulated robot, world model and planner as processes in real time, each of which can be killed and started again."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from ament_index_python.packages import get_package_prefix
from diagnostic_msgs.msg import DiagnosticArray
from hwm_ros.action import PlanActions
from hwm_ros.msg import ActionSequence, ContextStatus, ErrorCode
from hwm_ros.srv import ResetSimulation
from rclpy.action import ActionClient
from ros_harness import DEADLINE_S, Peer
from sensor_msgs.msg import Image, JointState
from untrained import save_untrained

from hwm_core.sim.model import joints
from hwm_ros import convert

NodeName = Literal["sim_robot", "world_model", "mpc_planner"]
Stage = Literal["planning", "following"]
_TIMES = {"camera_timeout_s": 3.0, "joints_timeout_s": 3.0, "model_timeout_s": 3.0, "frame_timeout_s": 60.0}
_TOLERANCE = 1.0  # an untrained model presses the arm onto the table
_SEED = 2_000_000
_SILENT_S = 0.5  # without a command: none of a goal, nor of the hold after it, is to come
_LIMIT = 3.0  # beyond the reach of all joints: an arm that the table bends ends no goal
_JOINT = "right_shoulder_pitch"  # starts away from the middle of its range, to which `joint_limits` draws it
_SEARCH = {
    "search.proposals": 4,
    "search.refinements": 1,
    "search.variations": 4,
    "search.polish": False,
    "search.margin": 0.0,  # one joint improves the cost of all by little in the frames after the deadline
    "search.least_gain": 0.0,
    "search.joints": f"[{_JOINT}]",
    "objective.lateness.weight": 0.0,
    "objective.joint_limits.margin": 0.49,  # joints are drawn to the middle, so every plan moves
}
CLIENT = """
import rclpy
from hwm_ros.action import PlanActions
from rclpy.action import ActionClient

rclpy.init()
node = rclpy.create_node("client")
client = ActionClient(node, PlanActions, "/mpc_planner/plan_actions")
client.wait_for_server()
while True:  # on a slow machine, the first search may find no motion
    sent = client.send_goal_async(PlanActions.Goal(num_frames=60_000, joints=["JOINT"]))
    rclpy.spin_until_future_complete(node, sent)
    ended = sent.result().get_result_async()
    rclpy.spin_until_future_complete(node, ended)
""".replace("JOINT", _JOINT)


class RealStack(Peer):
    """An action client, and three nodes with untrained weights. Robot and models need seconds to start."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder
        checkpoint = save_untrained(folder / "checkpoint", kind="states", joints=joints().names, limit=_LIMIT)
        (folder / "client.py").write_text(CLIENT)
        self._parameters: dict[str, dict[str, object]] = {
            "sim_robot": {"camera_size": 32, "command_timeout_s": 0.5},
            "world_model": {"checkpoint": checkpoint, "dtype": "float32", **_SEARCH},
            "mpc_planner": {"publish_commands": True, "deadline_s": 0.5, "tracking_tolerance": _TOLERANCE, **_TIMES},
        }
        self.running: dict[str, subprocess.Popen] = {}
        for kind, topic in (
            (ContextStatus, "/world_model/context_status"),
            (JointState, "/joint_states"),
            (JointState, "/joint_commands"),
            (ActionSequence, "/mpc_planner/plan"),
            (DiagnosticArray, "/diagnostics"),
        ):
            self.subscribe(kind, topic)
        self.reset = self.node.create_client(ResetSimulation, "/sim_robot/reset")
        self.actions: ActionClient | None = None
        self.connect()

    def connect(self) -> None:
        """Make the action client of the test, if there is none."""
        self.actions = self.actions or ActionClient(self.node, PlanActions, "/mpc_planner/plan_actions")

    def disconnect(self) -> None:
        """Remove it: while one client is left, a planner does not notice that another one was killed."""
        if self.actions is not None:
            self.actions.destroy()
        self.actions = None

    def start(self, name: NodeName) -> None:
        """Start a node; it has not loaded yet when this returns."""
        executable = Path(get_package_prefix("hwm_ros")) / "lib" / "hwm_ros" / name
        words = [word for key, value in self._parameters[name].items() for word in ("-p", f"{key}:={_yaml(value)}")]
        with (self.folder / f"{name}.txt").open("a") as out:
            self.running[name] = subprocess.Popen(
                [str(executable), "--ros-args", *words], stdout=out, stderr=subprocess.STDOUT
            )

    def start_client(self) -> None:
        """Start a process that sends a long goal and waits, in the place of the test's own client."""
        self.disconnect()
        self.restart()
        self.running["client"] = subprocess.Popen([sys.executable, str(self.folder / "client.py")])

    def kill(self, name: str, number: int = signal.SIGKILL) -> int:
        """Kill a process; its exit status."""
        process = self.running.pop(name)
        process.send_signal(number)
        return process.wait(60)

    def close(self) -> None:
        for name in list(self.running):
            self.kill(name)
        super().close()

    def be_plain(self) -> None:
        """Nothing: a fault here is a process that is missing."""

    def forget(self) -> None:
        """Forget what the nodes have published."""
        for messages in self.received.values():
            messages.clear()

    def restart(self) -> Image:
        """Put the robot into its first pose, and return the goal image.

        Where a goal has led it, no further motion would come nearer, and the next goal would end with NO_MOTION. The
        commands that hold the robot after a goal end before: they would pass for commands of the next goal.
        """
        self.until(self.falls_silent, "the end of the commands")
        self.until(self.reset.service_is_ready, "the robot")
        return self.answered(lambda: self.reset.call_async(ResetSimulation.Request(seed=_SEED)), "the robot").goal

    def send(self, num_frames: int):
        """A goal that was accepted; None: it was rejected, because the one before has not ended yet."""
        self.connect()
        self.until(self.actions.server_is_ready, "the planner")
        goal = PlanActions.Goal(goal=self.restart(), num_frames=num_frames, joints=[_JOINT])
        handle = self.answered(lambda: self.actions.send_goal_async(goal), "the planner to accept or reject the goal")
        return handle if handle.accepted else None

    def result(self, handle) -> PlanActions.Result:
        """The result of a goal."""
        future = handle.get_result_async()
        self.until(future.done, "the result")
        return future.result().result

    def wait_for_stage(self, stage: Stage, ended: Callable[[], bool] = lambda: False) -> None:
        """Wait until a goal searches for its first plan, or follows one; or until it has ended."""
        topic = "/joint_commands" if stage == "planning" else "/mpc_planner/plan"
        self.until(lambda: self.received[topic] or ended(), topic)
        if stage == "following":
            self.spin(0.3)

    def begin(self, stage: Stage):
        """A long goal that searches for its first plan, or follows one.

        On a slow machine, the first search may find no motion, or no time for one; then another goal is sent.
        """
        deadline = time.monotonic() + DEADLINE_S
        while time.monotonic() < deadline:
            if (handle := self.send(num_frames=60_000)) is not None:
                self.forget()
                ended = handle.get_result_async()
                self.wait_for_stage(stage, ended.done)
                if not ended.done():
                    return handle
            self.spin(0.3)
        raise AssertionError("no goal finds a motion")

    def recover(self) -> float:
        """Seconds until a goal is completed again; nodes that are missing are started."""
        began = time.monotonic()
        for name in ("sim_robot", "world_model", "mpc_planner"):
            if name not in self.running:
                self.start(name)
        while True:
            handle = self.send(num_frames=3)
            result = None if handle is None else self.result(handle)
            if result is not None and result.error_code == ErrorCode.NONE:
                return time.monotonic() - began
            assert time.monotonic() - began < 120, "no goal is completed" if result is None else result.error_msg
            self.spin(0.3)

    def falls_silent(self) -> bool:
        """Whether no command comes for a while."""
        self.received["/joint_commands"].clear()
        self.spin(_SILENT_S)
        return not self.received["/joint_commands"]

    def stands(self) -> bool:
        """Whether the robot has not moved for a second of its own time."""
        states = self.received["/joint_states"]
        states.clear()
        self.until(lambda: states and _stamp_s(states[-1]) - _stamp_s(states[0]) > 1.0, "joint states of a second")
        moved = [abs(a - b) for a, b in zip(states[0].position, states[-1].position, strict=True)]
        return max(moved) < 2e-3


def _stamp_s(state: JointState) -> float:
    return 1e-9 * convert.stamp_ns(state.header.stamp)


def _yaml(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
