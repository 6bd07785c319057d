"""Nodes as processes of their own, over real DDS on a domain of their own, and a peer to talk to them."""

import os
import subprocess
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import QoSProfile

from hwm_ros.processes import isolate, node_process

DEADLINE_S = 120.0  # generous: the machines that run this are slow and busy


_RUNNING: dict[Path, subprocess.Popen] = {}


@contextmanager
def process(executable: str, log: Path, **parameters: object) -> Iterator[None]:
    """An installed node in a process of its own, which must exit with 0 on SIGTERM; `__` stands for a dot."""
    isolate(1 + os.getpid() % 100)
    named = {name.replace("__", "."): value for name, value in parameters.items()}
    with node_process(executable, named, log) as running:
        _RUNNING[log] = running
        try:
            yield
        finally:
            del _RUNNING[log]


class Peer:
    """A node of this process: publishes, collects what it hears, calls services."""

    def __init__(self) -> None:
        isolate(1 + os.getpid() % 100)
        self.context = rclpy.Context()
        rclpy.init(context=self.context)
        self.node = rclpy.create_node("peer", context=self.context)
        self._executor = SingleThreadedExecutor(context=self.context)
        self._executor.add_node(self.node)
        self.heard: dict[str, list] = defaultdict(list)

    def close(self) -> None:
        self._executor.shutdown()
        self.node.destroy_node()
        rclpy.try_shutdown(context=self.context)

    def listen(self, kind: type, topic: str, qos: QoSProfile | int = 50) -> None:
        self.node.create_subscription(kind, topic, self.heard[topic].append, qos)

    def until(self, condition: Callable[[], object], what: str) -> None:
        """Spin until the condition holds."""
        deadline = time.monotonic() + DEADLINE_S
        while not condition():
            assert time.monotonic() < deadline, f"waited {DEADLINE_S} s for {what}"
            for log, running in _RUNNING.items():
                assert running.poll() is None, f"a node died while we waited for {what}:\n{log.read_text()}"
            self._executor.spin_once(timeout_sec=0.05)

    def newest(self, topic: str, condition: Callable = lambda message: True) -> object:
        """The newest message heard on a topic that meets the condition, once there is one."""
        found: list = []

        def look() -> bool:
            found[:] = [message for message in self.heard[topic] if condition(message)][-1:]
            return bool(found)

        self.until(look, f"a message on {topic}")
        return found[0]

    def call(self, kind: type, service: str, request: object) -> object:
        client = self.node.create_client(kind, service)
        self.until(client.service_is_ready, service)
        future = client.call_async(request)
        self.until(future.done, f"the answer of {service}")
        self.node.destroy_client(client)
        return future.result()
