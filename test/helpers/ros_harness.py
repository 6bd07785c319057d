"""Runs nodes as processes over real DDS, on a ROS domain of the test process, and a peer node that talks to them."""

import subprocess
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import QoSProfile
from rclpy.task import Future

from hwm_ros.processes import isolate, node_process, own_domain

DEADLINE_S = 120.0  # long enough for slow and busy machines
_ANSWER_S = 10.0

_RUNNING: dict[Path, subprocess.Popen] = {}


@contextmanager
def process(executable: str, log: Path, **parameters: object) -> Iterator[None]:
    """Run an installed node. It must exit with status 0 after SIGTERM. In parameter names, `__` stands for a dot."""
    isolate(own_domain())
    dotted = {name.replace("__", "."): value for name, value in parameters.items()}
    with node_process(executable, dotted, log) as running:
        _RUNNING[log] = running
        try:
            yield
        finally:
            del _RUNNING[log]


class Peer:
    """A node in the test process: publishes, stores received messages, and calls services."""

    def __init__(self) -> None:
        isolate(own_domain())
        self.context = rclpy.Context()
        rclpy.init(context=self.context)
        self.node = rclpy.create_node("peer", context=self.context)
        self._executor = SingleThreadedExecutor(context=self.context)
        self._executor.add_node(self.node)
        self.received: dict[str, list] = defaultdict(list)

    def close(self) -> None:
        self._executor.shutdown()
        self.node.destroy_node()
        rclpy.try_shutdown(context=self.context)

    def subscribe(self, kind: type, topic: str, qos: QoSProfile | int = 50) -> None:
        self.node.create_subscription(kind, topic, self.received[topic].append, qos)

    def spin(self, seconds: float) -> None:
        """Spin for a time."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self._executor.spin_once(timeout_sec=0.02)

    def until(self, condition: Callable[[], object], what: str) -> None:
        """Spin until the condition holds."""
        deadline = time.monotonic() + DEADLINE_S
        while not condition():
            assert time.monotonic() < deadline, f"timed out after {DEADLINE_S} s while waiting for {what}"
            for log, running in _RUNNING.items():
                assert running.poll() is None, f"a node ended while waiting for {what}:\n{log.read_text()}"
            self._executor.spin_once(timeout_sec=0.05)

    def newest(self, topic: str, condition: Callable = lambda message: True) -> object:
        """The newest message on a topic that meets the condition; waits until one arrives."""
        found: list = []

        def find() -> bool:
            found[:] = [message for message in self.received[topic] if condition(message)][-1:]
            return bool(found)

        self.until(find, f"a message on {topic}")
        return found[0]

    def answered(self, send: Callable[[], Future], what: str) -> object:
        """The answer to a request. It is sent again where none comes: DDS takes 20 s to forget a process that was
        killed, and a request may still go there alone."""
        futures: list[Future] = []
        sent_s = 0.0

        def is_answered() -> bool:
            nonlocal sent_s
            if time.monotonic() - sent_s > _ANSWER_S:
                sent_s = time.monotonic()
                futures.append(send())
            return any(future.done() for future in futures)

        self.until(is_answered, what)
        return next(future.result() for future in futures if future.done())

    def call(self, kind: type, service: str, request: object) -> object:
        """The response of a service; waits for the service and for the response."""
        client = self.node.create_client(kind, service)
        self.until(client.service_is_ready, service)
        future = client.call_async(request)
        self.until(future.done, f"the response of {service}")
        self.node.destroy_client(client)
        return future.result()
