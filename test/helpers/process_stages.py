"""How far a process of a node has come, as Linux reports it: waiting for a time would meet another stage on every
machine."""

import re
import signal
from pathlib import Path


def imports_ros(pid: int) -> bool:
    """Whether it has begun to import ROS; before that, Python itself starts."""
    return "rclpy" in Path(f"/proc/{pid}/maps").read_text()


def handles_signals(pid: int) -> bool:
    """Whether it has installed its handlers of signals: a node is made next, and then spins."""
    [caught] = re.findall(r"SigCgt:\s*(\w+)", Path(f"/proc/{pid}/status").read_text())
    return bool(int(caught, 16) >> (signal.SIGTERM - 1) & 1)
