"""This package's nodes as processes of their own, without the launch package (which has no wheels)."""

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from ament_index_python.packages import get_package_prefix, get_package_share_directory

_STOP_S = 20.0


def isolate(domain: int) -> None:
    """Keep this process, and those it starts, off other robots' networks, and let large images through."""
    profile = str(Path(get_package_share_directory("hwm_ros")) / "config" / "fastdds_large_images.xml")
    os.environ.update(
        ROS_DOMAIN_ID=str(domain),
        ROS_AUTOMATIC_DISCOVERY_RANGE="LOCALHOST",
        FASTRTPS_DEFAULT_PROFILES_FILE=profile,
        FASTDDS_DEFAULT_PROFILES_FILE=profile,  # its name from Kilted on
    )
    if os.environ.get("ROS_DISTRO") == "humble":
        os.environ["ROS_LOCALHOST_ONLY"] = "1"  # its name for the discovery range


class NodeDied(RuntimeError):
    """A node ended on its own, or not well."""


@contextmanager
def node_process(
    executable: str, parameters: Mapping[str, object], log: Path, arguments: tuple[str, ...] = ()
) -> Iterator[subprocess.Popen]:
    """Run an installed node; leaving the block stops it by SIGTERM.

    Args:
        executable: name under lib/hwm_ros.
        parameters: ROS parameters by dotted name.
        log: file for what it prints.
        arguments: more words after --ros-args.

    Raises:
        NodeDied: it had ended before, does not end with 0, or not within 20 s; the message ends with the end of its
            log.
    """
    command = [str(Path(get_package_prefix("hwm_ros")) / "lib" / "hwm_ros" / executable), "--ros-args", *arguments]
    for name, value in parameters.items():
        command += ["-p", f"{name}:={_yaml(value)}"]
    with log.open("w") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT)
    try:
        yield process
        if process.poll() is not None:
            raise NodeDied(f"{executable} ended with {process.returncode}:\n{_end_of(log)}")
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            raise NodeDied(f"{executable} did not end within {_STOP_S:g} s of SIGTERM:\n{_end_of(log)}") from None
        if process.returncode != 0:
            raise NodeDied(f"{executable} ended with {process.returncode} on SIGTERM:\n{_end_of(log)}")
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def _yaml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"[{', '.join(map(str, value))}]" if isinstance(value, tuple) else str(value)


def _end_of(log: Path) -> str:
    return "\n".join(log.read_text().splitlines()[-20:])
