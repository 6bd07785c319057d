"""What every node of this package does the same way: run until told to stop, await the worker, report health."""

import resource
import signal
from collections.abc import Callable
from concurrent.futures import Future as Job
from typing import Any

import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.clock import Clock, ClockType
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.task import Future

from hwm_core.errors import BadActions, BadImage, BadInput, RobotMismatch
from hwm_core.live.context import NoContext
from hwm_core.live.model import NoGoal
from hwm_core.live.worker import Stopped, Superseded
from hwm_ros.msg import ErrorCode

# Timers that watch the node itself go by this clock: a paused simulation must not silence them.
STEADY = Clock(clock_type=ClockType.STEADY_TIME)


class NotActive(BadInput):
    """The lifecycle node is not active."""


class Rejected(Exception):
    """Another node answered with an error, or not at all."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code


_CODES: tuple[tuple[type[BaseException], int], ...] = (
    (NotActive, ErrorCode.NOT_ACTIVE),
    (NoContext, ErrorCode.NO_CONTEXT),
    (NoGoal, ErrorCode.NO_GOAL),
    (RobotMismatch, ErrorCode.ROBOT_MISMATCH),
    (BadActions, ErrorCode.BAD_ACTIONS),
    (BadImage, ErrorCode.BAD_IMAGE),
    (BadInput, ErrorCode.BAD_REQUEST),
    (Superseded, ErrorCode.BUSY),
    (Stopped, ErrorCode.NOT_ACTIVE),
)


def error_code(error: BaseException) -> int:
    """The ErrorCode of an exception."""
    if isinstance(error, Rejected):
        return error.code
    return next((code for kind, code in _CODES if isinstance(error, kind)), ErrorCode.INTERNAL)


def error_text(error: BaseException) -> str:
    """What `error_msg` says of an exception."""
    return str(error) or type(error).__doc__ or type(error).__name__


def run(make: Callable[[], Node]) -> None:
    """Initialise ROS, spin one node, and return quietly on SIGINT, SIGTERM or shutdown."""
    # No `with rclpy.init()`: Humble lacks it.
    rclpy.init()
    node = None
    try:
        node = make()
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        executor.spin()
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    except Exception:
        if rclpy.ok():  # otherwise the signal came while a callback was publishing
            raise
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches us twice: from the terminal and from ros2 launch
        if node is not None:
            node.destroy_node()
        rclpy.try_shutdown()


def on_executor(node: Node, job: Job) -> Future:
    """A future that a coroutine of `node` may await, finished when the worker has finished `job`.

    Setting a ROS future from another thread does not wake the executor; a task does.
    """
    future = Future(executor=node.executor)

    def finish(done: Job) -> None:
        error = done.exception()
        if error is None:
            future.set_result(done.result())
        else:
            future.set_exception(error)

    job.add_done_callback(lambda done: start_task(node, finish, done))
    return future


def start_task(node: Node, callback: Callable[..., Any], *arguments: Any) -> None:
    """Let the node's executor run a coroutine function beside the one that asks."""
    if node.executor is not None:
        node.executor.create_task(callback, *arguments)


def health(node: Node, level: bytes, summary: str, values: dict[str, Any]) -> DiagnosticArray:
    """One /diagnostics message of a node."""
    name = node.get_fully_qualified_name().lstrip("/")
    pairs = [
        KeyValue(key=key, value=f"{value:.3f}" if isinstance(value, float) else str(value))
        for key, value in values.items()
    ]
    status = DiagnosticStatus(level=level, name=name, message=summary, hardware_id="", values=pairs)
    message = DiagnosticArray(status=[status])
    message.header.stamp = node.get_clock().now().to_msg()
    return message


def memory_mb() -> float:
    """Peak resident memory of this process in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
