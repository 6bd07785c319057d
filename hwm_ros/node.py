"""Functions that every node uses: spin until shutdown, and await a worker thread from a coroutine."""

import signal
import sys
import time
from collections.abc import Callable
from concurrent.futures import Future as Job
from typing import Any, TypeVar

import rclpy
from rclpy.clock import Clock, ClockType
from rclpy.exceptions import ParameterException
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions
from rclpy.task import Future

from hwm_core.errors import BadInput

N = TypeVar("N", bound=Node)

_WAKE_S = 0.1  # longest time until a signal is noticed
_CALLBACK_S = 1.0  # a callback that runs longer after a signal is interrupted
# Longest time for which one thread of Python keeps the interpreter while another one waits for it. The thread of the
# model waits after many of its operations; with Python's own 5 ms, a request would wait for whole callbacks.
_SWITCH_S = 0.0001
_FINISH_S = 3.0  # longest time for a node to end what it does
# The clock of timers that monitor the node itself: they must also run while simulated time is paused.
STEADY = Clock(clock_type=ClockType.STEADY_TIME)


class _Signals:
    """SIGINT and SIGTERM. While the node starts, they end the process at once; later, after the running callback.

    A callback that takes longer than `_CALLBACK_S`, such as loading a model, is interrupted. rclpy's own handlers would
    shut ROS down before the node could send a last message.
    """

    def __init__(self) -> None:
        self.spinning = self.requested = False

    def handle(self) -> None:
        """Handle them from now on."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._on_signal)
        signal.signal(signal.SIGALRM, self._interrupt)

    def _on_signal(self, *_: Any) -> None:
        if not self.spinning:
            raise KeyboardInterrupt
        if not self.requested:
            self.requested = True
            signal.setitimer(signal.ITIMER_REAL, _CALLBACK_S)

    def _interrupt(self, *_: Any) -> None:
        if self.spinning:
            raise KeyboardInterrupt

    def ignore(self) -> None:
        """From now on the process ends anyway. Ctrl-C sends SIGINT twice: from the terminal, and from ros2 launch."""
        self.spinning = False
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)


def run(make: Callable[[], N], finished: Callable[[N], bool] = lambda _: True) -> None:
    """Initialise ROS, spin one node, and return without an error on SIGINT, SIGTERM or shutdown.

    Args:
        make: makes the node.
        finished: called with the node after a signal, again and again while it spins, until it returns True: the node
            can end what it does. At most `_FINISH_S`.
    """
    node: N | None = None
    executor: SingleThreadedExecutor | None = None
    signals = _Signals()
    sys.setswitchinterval(_SWITCH_S)
    try:
        signals.handle()
        node = _start(make)
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        node.create_timer(_WAKE_S, lambda: None, clock=STEADY)  # a signal does not wake the executor
        signals.spinning = True
        while not signals.requested:
            executor.spin_once()
        signals.ignore()
        deadline = time.monotonic() + _FINISH_S
        while not finished(node) and time.monotonic() < deadline:
            executor.spin_once(timeout_sec=_WAKE_S)
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    except Exception:
        if rclpy.ok():  # otherwise ROS was shut down while a callback was publishing
            raise
    finally:
        signals.ignore()
        if executor is not None:
            executor.shutdown(timeout_sec=0)  # Python may delete it after ROS is shut down, which it would complain of
        if node is not None:
            node.destroy_node()
        rclpy.try_shutdown()


def _start(make: Callable[[], N]) -> N:
    """Initialise ROS and make the node; a wrong argument or parameter ends the process with the error's message."""
    try:
        # Humble lacks the context manager `with rclpy.init()`.
        rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
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
