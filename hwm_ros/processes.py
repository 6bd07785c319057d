"""Runs the nodes of this package as processes, without the launch package, which has no wheels."""

import fcntl
import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import IO

from ament_index_python.packages import get_package_prefix, get_package_share_directory

from hwm_ros.distributions import PROFILE_VARIABLES, discovery_on_this_machine

_STOP_S = 60.0
_DOMAINS = 100  # ids up to 101 use no port of the system's own range
_LOCKS: list[IO[str]] = []  # open until the process ends


@cache
def own_domain() -> int:
    """A ROS domain id that no other process on this machine has, as long as this process runs.

    Raises:
        NodeDied: all ids are taken.
    """
    for number in range(_DOMAINS):
        domain = 1 + (os.getpid() + number) % _DOMAINS
        try:
            lock = (Path(tempfile.gettempdir()) / f"hwm_ros_domain_{domain}.lock").open("a")
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:  # another process, or another user, has it
            continue
        _LOCKS.append(lock)
        return domain
    raise NodeDied(f"No ROS domain is free: other processes have locked all {_DOMAINS} of hwm_ros_domain_*.lock")


def isolate(domain: int) -> None:
    """Isolate this process and its child processes from other ROS systems, and enable large images.

    Args:
        domain: the ROS domain id to use.
    """
    profile = str(Path(get_package_share_directory("hwm_ros")) / "config" / "fastdds_large_images.xml")
    os.environ.update(ROS_DOMAIN_ID=str(domain), **discovery_on_this_machine())
    os.environ.update(dict.fromkeys(PROFILE_VARIABLES, profile))


class NodeDied(RuntimeError):
    """A node ended unexpectedly, failed to stop, or never became ready."""


@contextmanager
def node_process(executable: str, parameters: Mapping[str, object], log: Path) -> Iterator[subprocess.Popen]:
    """Run an installed node; the end of the `with` block stops it with SIGTERM.

    Args:
        executable: name under lib/hwm_ros.
        parameters: ROS parameters by dotted name.
        log: file for the node's output.

    Raises:
        NodeDied: the node ended before the block did, did not stop within 60 s, or returned another status than 0. The
            message includes the last lines of the log.
    """
    command = [str(Path(get_package_prefix("hwm_ros")) / "lib" / "hwm_ros" / executable), "--ros-args"]
    for name, value in parameters.items():
        command += ["-p", f"{name}:={_yaml(value)}"]
    with log.open("w") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT)
    try:
        yield process
        if process.poll() is not None:
            raise NodeDied(f"{executable} ended with status {process.returncode}:\n{_last_lines(log)}")
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            raise NodeDied(f"{executable} did not stop within {_STOP_S:g} s of SIGTERM:\n{_last_lines(log)}") from None
        if process.returncode != 0:
            raise NodeDied(f"{executable} ended with status {process.returncode} after SIGTERM:\n{_last_lines(log)}")
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def _yaml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"[{', '.join(map(str, value))}]" if isinstance(value, tuple) else str(value)


def _last_lines(log: Path) -> str:
    return "\n".join(log.read_text().splitlines()[-20:])
