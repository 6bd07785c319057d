"""One episode of a task with three nodes (three processes over DDS), in lockstep or in real time."""

import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import rclpy
from rclpy.action import ActionClient
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import QoSProfile
from rclpy.task import Future
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import Image, JointState
from std_msgs.msg import Float64

from hwm_core.metrics.latency import Latencies
from hwm_core.sim.model import CONTROL_HZ
from hwm_core.sim.tasks.task import TaskKind
from hwm_ros import convert
from hwm_ros.action import PlanActions
from hwm_ros.error_codes import Rejected
from hwm_ros.msg import ActionSequence, ContextStatus, ErrorCode, ModelInfo
from hwm_ros.processes import NodeDied, node_process
from hwm_ros.qos import JOINTS_OUT, LATCHED, LATCHED_HISTORY, RELIABLE
from hwm_ros.recorder import Recorder

_START_S, _ANSWER_S, _FRAME_S = 300.0, 60.0, 240.0  # limits of wall time: start of the nodes, one request, one frame
_GOAL, _ERROR, _STATUS = "/sim_robot/goal_image", "/sim_robot/task_error", "/world_model/context_status"
_INFO = "/world_model/model_info"
PLAN_TOPIC = "/mpc_planner/plan"
RECORDED: Mapping[str, tuple[type, QoSProfile]] = {
    "/clock": (Clock, RELIABLE),
    "/head_camera/image_raw": (Image, RELIABLE),
    "/joint_states": (JointState, JOINTS_OUT),
    "/joint_commands": (JointState, JOINTS_OUT),
    _GOAL: (Image, LATCHED),
    _ERROR: (Float64, LATCHED_HISTORY),
    _STATUS: (ContextStatus, RELIABLE),
    _INFO: (ModelInfo, LATCHED),
    PLAN_TOPIC: (ActionSequence, RELIABLE),
}
_SUBSCRIBED = (_GOAL, _ERROR, _STATUS, _INFO, PLAN_TOPIC)


@dataclass(frozen=True)
class TaskEpisode:
    """The course of an episode."""

    errors: tuple[float, ...]  # in the task's unit, at every camera frame
    plans: tuple[ActionSequence, ...]
    goal: Image
    frames: dict[str, int]  # number of images {"received", "used", "skipped", "dropped"}
    latency_ms: dict[str, dict[str, float]]  # {stage: {"p50", "p95", "p99"}}
    rate_hz: float  # control steps per second of wall time
    failure: Rejected | None = None  # why the planner ended the goal early; None: it is completed


class _Operator:
    """Receives the nodes' messages and sends the goal to the planner."""

    def __init__(self, check_nodes: Callable[[], None]) -> None:
        self._check_nodes = check_nodes
        self.node = rclpy.create_node("demo")
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self.node)
        self.received: dict[str, list[Any]] = defaultdict(list)
        for topic in _SUBSCRIBED:
            kind, profile = RECORDED[topic]
            self.node.create_subscription(kind, topic, self.received[topic].append, profile)
        self.planner = ActionClient(self.node, PlanActions, "/mpc_planner/plan_actions")

    def until(self, condition: Callable[[], object], what: str, deadline: Callable[[], float]) -> None:
        """Spin until the condition holds.

        Args:
            condition: checked after every step of the executor.
            what: what the condition waits for, in words.
            deadline: returns the latest monotonic time to wait until.

        Raises:
            NodeDied: a node ended, or the deadline passed.
        """
        while not condition():
            self._check_nodes()
            if time.monotonic() > deadline():
                raise NodeDied(f"Timed out while waiting for {what}. See the logs of the nodes.")
            self._executor.spin_once(timeout_sec=0.1)

    def result(self, future: Future, what: str, deadline: Callable[[], float]) -> Any:
        """The result of a future, after spinning until it is done. Raises NodeDied as `until` does."""
        self.until(future.done, what, deadline)
        return future.result()

    def close(self) -> None:
        self._executor.shutdown()
        self.node.destroy_node()


def run_task_episode(
    kind: TaskKind,
    checkpoint: Path,
    seed: int,
    device: str,
    bag: Path | None,
    logs: Path,
    on_feedback: Callable[[PlanActions.Feedback, int], None],
    lockstep: bool = True,
) -> TaskEpisode:
    """Run the task of `seed` for its length in simulated time. The caller initialises ROS.

    Args:
        kind: kind of task; it gives the planned joints.
        checkpoint: folder of the world model.
        seed: seed of the task and of the searches.
        device: PyTorch device of the world model.
        bag: rosbag2 folder to write; None: nothing is recorded.
        logs: folder for the nodes' output.
        on_feedback: called for every frame with the planner's feedback and the total number of frames.
        lockstep: the simulation waits for every command; otherwise it runs in real time.

    Raises:
        NodeDied: a node ended or did not respond in time.
    """
    model = {"checkpoint": checkpoint, "device": device, "use_sim_time": True}
    planner: dict[str, object] = {"publish_commands": True, "lockstep": lockstep, "use_sim_time": True, "seed": seed}
    planner |= {"answer_timeout_s": _ANSWER_S, "frame_timeout_s": _FRAME_S, "max_goal_s": 1e6}
    simulation = {"seed": seed, "lockstep": lockstep, "task": kind.name}
    nodes: dict[str, Mapping[str, object]] = {"sim_robot": simulation, "world_model": model, "mpc_planner": planner}
    with ExitStack() as stack:
        processes = {
            name: stack.enter_context(node_process(name, parameters, logs / f"{name}.txt"))
            for name, parameters in nodes.items()
        }

        def check_nodes() -> None:
            for name, process in processes.items():
                if process.poll() is not None:
                    raise NodeDied(
                        f"{name} ended with status {process.returncode}:\n{(logs / f'{name}.txt').read_text()}"
                    )

        operator = _Operator(check_nodes)
        stack.callback(operator.close)
        if bag is not None:
            stack.enter_context(Recorder(operator.node, bag, RECORDED))
        return _run(operator, kind, on_feedback, lockstep)


def _run(
    operator: _Operator,
    kind: TaskKind,
    on_feedback: Callable[[PlanActions.Feedback, int], None],
    lockstep: bool,
) -> TaskEpisode:
    started = time.monotonic()
    received, num_frames = operator.received, 0
    latencies = Latencies()
    feedback_at: list[float] = []
    feedbacks: list[PlanActions.Feedback] = []

    def start_deadline() -> float:
        return started + _START_S

    def frame_deadline() -> float:
        return (feedback_at[-1] if feedback_at else started + _START_S) + _FRAME_S

    def on_message(message: Any) -> None:
        feedback: PlanActions.Feedback = message.feedback
        if feedback_at:
            latencies.add("frame", time.monotonic() - feedback_at[-1])
        feedback_at.append(time.monotonic())
        if not feedbacks or feedback.plans_made > feedbacks[-1].plans_made:
            latencies.add("plan", feedback.plan_ms / 1e3)
        feedbacks.append(feedback)
        on_feedback(feedback, num_frames)

    operator.until(operator.planner.server_is_ready, "the planner", start_deadline)
    operator.until(lambda: all(map(operator.node.count_publishers, RECORDED)), "the topics to record", start_deadline)
    operator.until(lambda: received[_GOAL] and received[_STATUS] and received[_INFO], "the first frame", start_deadline)
    rate_hz = received[_INFO][-1].frame_rate_hz
    num_frames = round(round(kind.seconds * rate_hz) * CONTROL_HZ / rate_hz)  # a whole number of the model's frames
    goal = PlanActions.Goal(goal=received[_GOAL][-1], joints=kind.joints, num_frames=num_frames)
    handle = operator.result(
        operator.planner.send_goal_async(goal, on_message), "the planner to accept the goal", start_deadline
    )
    answer: PlanActions.Result = operator.result(handle.get_result_async(), "the next frame", frame_deadline).result
    failure = None if answer.error_code == ErrorCode.NONE else Rejected(answer.error_code, answer.error_msg)
    if failure is None:  # the last command still moves the robot; wait for the frame after it
        last_ns = convert.stamp_ns(feedbacks[-1].stamp)
        used = _is_last_frame_used if lockstep else _is_frame_used
        operator.until(lambda: used(received, last_ns), "the last frame", frame_deadline)
    status: ContextStatus = received[_STATUS][-1]
    frames = {what: getattr(status, f"images_{what}") for what in ("received", "used", "skipped", "dropped")}
    steps_hz = (len(feedback_at) - 1) / (feedback_at[-1] - feedback_at[0]) if len(feedback_at) > 1 else 0.0
    errors = tuple(message.data for message in received[_ERROR])
    plans, goal_image = tuple(received[PLAN_TOPIC]), received[_GOAL][-1]
    return TaskEpisode(errors, plans, goal_image, frames, latencies.summary(), steps_hz, failure)


def _is_frame_used(received: Mapping[str, list[Any]], commanded_ns: int) -> bool:
    """Whether a frame after the command at `commanded_ns` entered the context."""
    status: ContextStatus = received[_STATUS][-1]
    return convert.stamp_ns(status.image_stamp) > commanded_ns


def _is_last_frame_used(received: Mapping[str, list[Any]], commanded_ns: int) -> bool:
    """Whether the frame after the command at `commanded_ns` entered the context, and its error was received."""
    status: ContextStatus = received[_STATUS][-1]
    newest_ns, first_ns = convert.stamp_ns(status.image_stamp), convert.stamp_ns(received[_GOAL][-1].header.stamp)
    return _is_frame_used(received, commanded_ns) and len(received[_ERROR]) > round(
        (newest_ns - first_ns) * 1e-9 * CONTROL_HZ
    )
