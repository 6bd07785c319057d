"""Functions that every node uses: spin until shutdown, and await a worker thread from a coroutine."""

import signal
import sys
from collections.abc import Callable
from concurrent.futures import Future as Job
from typing import Any

import rclpy
from rclpy.clock import Clock, ClockType
from rclpy.exceptions import ParameterException
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.task import Future

from hwm_core.errors import BadInput

# The clock of timers that monitor the node itself: they must also run while simulated time is paused.
STEADY = Clock(clock_type=ClockType.STEADY_TIME)


def run(make: Callable[[], Node]) -> None:
    """Initialise ROS, spin one node, and return without an error on SIGINT, SIGTERM or shutdown."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # the executables set SIG_DFL while they import
    node = None
    try:
        node = _start(make)
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        executor.spin()
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    except Exception:
        if rclpy.ok():  # otherwise the signal came while a callback was publishing
            raise
    finally:
        # Ctrl-C sends SIGINT twice: once from the terminal, once from ros2 launch.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        if node is not None:
            node.destroy_node()
        rclpy.try_shutdown()


def _start(make: Callable[[], Node]) -> Node:
    """Initialise ROS and make the node; a wrong argument or parameter ends the process with the error's message."""
    try:
        rclpy.init()  # Humble lacks the context manager `with rclpy.init()`
    except RuntimeError as error:
        sys.exit(str(error))
    try:
        return make()
    except (BadInput, ParameterException) as error:
        sys.exit(str(error))


def on_executor(node: Node, job: Job) -> Future:
    """A ROS future for the result of a worker's `job`; coroutines of `node` can await it.

    The future is completed by a task on the executor: completing a ROS future from another thread does not wake the
    executor.
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
    """Schedule a function or a coroutine function on the node's executor; the caller does not wait for it."""
    if node.executor is not None:
        node.executor.create_task(callback, *arguments)
