"""One reach episode by three nodes in three processes over DDS, in lockstep, recorded to a bag."""

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
from hwm_core.sim.tasks import PLANNED_JOINTS, REACH_SECONDS
from hwm_ros import convert
from hwm_ros.action import PlanActions
from hwm_ros.error_codes import Rejected
from hwm_ros.msg import ActionScores, ActionSequence, ContextStatus, ErrorCode, ModelInfo
from hwm_ros.processes import NodeDied, node_process
from hwm_ros.qos import JOINTS_OUT, LATCHED, LATCHED_HISTORY, RELIABLE
from hwm_ros.recorder import Recorder

_START_S, _SCORES_S, _FRAME_S = 120.0, 60.0, 240.0  # wall time allowed: nodes to come up, one request, one frame
_GOAL, _DISTANCE, _STATUS, _SCORES = (
    "/sim_robot/goal_image",
    "/sim_robot/palm_distance",
    "/world_model/context_status",
    "/world_model/scores",
)
PLAN_TOPIC = "/mpc_planner/plan"
RECORDED: Mapping[str, tuple[type, QoSProfile]] = {
    "/clock": (Clock, RELIABLE),
    "/head_camera/image_raw": (Image, RELIABLE),
    "/joint_states": (JointState, JOINTS_OUT),
    "/joint_commands": (JointState, JOINTS_OUT),
    _GOAL: (Image, LATCHED),
    _DISTANCE: (Float64, LATCHED_HISTORY),
    _STATUS: (ContextStatus, RELIABLE),
    _SCORES: (ActionScores, RELIABLE),
    "/world_model/model_info": (ModelInfo, LATCHED),
    PLAN_TOPIC: (ActionSequence, RELIABLE),
}
_HEARD = (_GOAL, _DISTANCE, _STATUS, _SCORES, PLAN_TOPIC)


@dataclass(frozen=True)
class ReachEpisode:
    """What happened."""

    distances_m: tuple[float, ...]  # palm to goal at every camera frame
    plans: tuple[ActionSequence, ...]
    goal: Image
    frames: dict[str, int]  # received, used, skipped (published again while a plan was made), dropped
    latency_ms: dict[str, dict[str, float]]  # stage -> p50, p95
    rate_hz: float  # control steps per second of wall time


class _Operator:
    """Listens to the nodes, and asks the planner for the reach."""

    def __init__(self, check: Callable[[], None]) -> None:
        self._check = check
        self.node = rclpy.create_node("demo")
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self.node)
        self.heard: dict[str, list[Any]] = defaultdict(list)
        for topic in _HEARD:
            kind, profile = RECORDED[topic]
            self.node.create_subscription(kind, topic, self.heard[topic].append, profile)
        self.planner = ActionClient(self.node, PlanActions, "/mpc_planner/plan_actions")

    def until(self, condition: Callable[[], object], what: str, limit_s: Callable[[], float]) -> None:
        """Spin until the condition holds. Raises NodeDied when a node ends, or after the limit (of monotonic time)."""
        while not condition():
            self._check()
            if time.monotonic() > limit_s():
                raise NodeDied(f"Waited in vain for {what}; see the logs of the nodes.")
            self._executor.spin_once(timeout_sec=0.1)

    def done(self, future: Future, what: str, limit_s: Callable[[], float]) -> Any:
        self.until(future.done, what, limit_s)
        return future.result()

    def close(self) -> None:
        self._executor.shutdown()
        self.node.destroy_node()


def run_reach_episode(
    checkpoint: Path, seed: int, device: str, bag: Path, logs: Path, tell: Callable[[PlanActions.Feedback, int], None]
) -> ReachEpisode:
    """Reach the goal of `seed` for REACH_SECONDS of simulated time. ROS is initialised by the caller.

    Args:
        bag: rosbag2 folder to write.
        logs: folder for what the nodes print.
        tell: hears the planner's feedback, frame by frame, and of how many frames.

    Raises:
        NodeDied: a node ended, or went silent.
        Rejected: the planner gave up; says why.
    """
    model = {"checkpoint": checkpoint, "device": device, "use_sim_time": True}
    planner = {
        "publish_commands": True,
        "lockstep": True,
        "use_sim_time": True,
        "planner.joints": PLANNED_JOINTS,
        "seed": seed,
    }
    planner |= {"score_timeout_s": _SCORES_S, "frame_timeout_s": _FRAME_S}
    simulation = {"seed": seed, "lockstep": True}
    nodes: dict[str, Mapping[str, object]] = {"sim_robot": simulation, "world_model": model, "mpc_planner": planner}
    with ExitStack() as stack:
        processes = {
            name: stack.enter_context(node_process(name, parameters, logs / f"{name}.txt"))
            for name, parameters in nodes.items()
        }

        def check() -> None:
            for name, process in processes.items():
                if process.poll() is not None:
                    raise NodeDied(f"{name} ended with {process.returncode}:\n{(logs / f'{name}.txt').read_text()}")

        operator = _Operator(check)
        stack.callback(operator.close)
        stack.enter_context(Recorder(operator.node, bag, RECORDED))
        return _reach(operator, tell)


def _reach(operator: _Operator, tell: Callable[[PlanActions.Feedback, int], None]) -> ReachEpisode:
    started = time.monotonic()
    heard, num_frames = operator.heard, round(REACH_SECONDS * CONTROL_HZ)
    latencies = Latencies()
    feedback_at: list[float] = []
    feedbacks: list[PlanActions.Feedback] = []

    def starting() -> float:
        return started + _START_S

    def stepping() -> float:
        return (feedback_at[-1] if feedback_at else started + _START_S) + _FRAME_S

    def on_feedback(message: Any) -> None:
        feedback: PlanActions.Feedback = message.feedback
        if feedback_at:
            latencies.add("frame", time.monotonic() - feedback_at[-1])
        feedback_at.append(time.monotonic())
        if not feedbacks or feedback.plans_made > feedbacks[-1].plans_made:
            latencies.add("plan", feedback.plan_ms / 1e3)
        feedbacks.append(feedback)
        tell(feedback, num_frames)

    operator.until(operator.planner.server_is_ready, "the planner", starting)
    operator.until(lambda: all(map(operator.node.count_publishers, RECORDED)), "the topics to record", starting)
    operator.until(lambda: heard[_GOAL] and heard[_STATUS], "the first frame", starting)
    goal = PlanActions.Goal(goal=heard[_GOAL][-1], num_frames=num_frames)
    handle = operator.done(operator.planner.send_goal_async(goal, on_feedback), "the planner's yes", starting)
    answer: PlanActions.Result = operator.done(handle.get_result_async(), "the next frame", stepping).result
    if answer.error_code != ErrorCode.NONE:
        raise Rejected(answer.error_code, answer.error_msg)
    # The last command moves the robot once more; that frame is on its way.
    operator.until(lambda: _settled(heard, convert.stamp_ns(feedbacks[-1].stamp)), "the last frame", stepping)
    for scores in heard[_SCORES]:
        for stage in ("queue", "encode", "rollout", "cost"):
            latencies.add(stage, getattr(scores, f"{stage}_ms") / 1e3)
    status: ContextStatus = heard[_STATUS][-1]
    frames = {what: getattr(status, f"images_{what}") for what in ("received", "used", "skipped", "dropped")}
    rate_hz = (len(feedback_at) - 1) / (feedback_at[-1] - feedback_at[0])
    distances = tuple(message.data for message in heard[_DISTANCE])
    return ReachEpisode(distances, tuple(heard[PLAN_TOPIC]), heard[_GOAL][-1], frames, latencies.summary(), rate_hz)


def _settled(heard: Mapping[str, list[Any]], acted_ns: int) -> bool:
    """Whether the frame after the last command was taken in, and its distance heard."""
    status: ContextStatus = heard[_STATUS][-1]
    return convert.stamp_ns(status.header.stamp) > acted_ns and len(heard[_DISTANCE]) >= status.images_used
