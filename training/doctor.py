"""Checks this machine for hwm_ros: Python, PyTorch, devices, ROS 2, OpenGL, disk."""

import importlib.metadata
import importlib.util
import os
import platform
import shutil
import sys
from collections.abc import Callable
from ctypes import CDLL
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

_DISK_GB = 5.0  # a store, its token set and the checkpoints of one robot

State = Literal["found", "absent", "missing"]  # absent: optional; missing: required


@dataclass(frozen=True)
class Finding:
    """One line of the report.

    Attributes:
        what: the checked item.
        state: found, absent (optional) or missing (required).
        text: the found version or path; for an item that was not found, its purpose.
        remedy: how to install it; empty if it was found.
    """

    what: str
    state: State
    text: str
    remedy: str = ""


def diagnose() -> list[Finding]:
    """Check this machine; the heaviest import is torch."""
    checks: tuple[Callable[[], Finding], ...] = (_python, _torch, _devices, _compiler, _gl, _ros, _rmw, _package, _disk)
    return [check() for check in checks]


def report(findings: list[Finding]) -> int:
    """Print the findings; returns 1 if a required item is missing."""
    for one in findings:
        print(f"{one.what:12} {one.state:8} {one.text}")
        if one.remedy:
            print(f"{'':12} {'':8} {one.remedy}")
    missing = sum(one.state == "missing" for one in findings)
    print("All required items are found." if not missing else f"{missing} required items are missing.")
    return int(missing > 0)


def _python() -> Finding:
    return Finding("Python", "found", f"{platform.python_version()} at {sys.executable}, processors: {os.cpu_count()}")


def _torch() -> Finding:
    try:
        import torch
    except ImportError as error:
        return Finding("PyTorch", "missing", str(error), "pip install torch, or run `make setup`.")
    from hwm_core.precision import precision_name, read_precision

    precision = precision_name(read_precision("auto", torch.device("cpu")))
    text = f"{torch.__version__}, threads: {torch.get_num_threads()}, precision on the CPU: {precision}"
    return Finding("PyTorch", "found", text)


def _devices() -> Finding:
    try:
        import torch
    except ImportError:
        return Finding("GPU", "absent", "unknown without PyTorch", "Install PyTorch first.")
    names = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    if names:
        return Finding("GPU", "found", ", ".join(f"cuda:{index} {name}" for index, name in enumerate(names)))
    need = "Models of the paper's size need a GPU; the small presets run on the CPU."
    remedy = "Install a CUDA build of PyTorch and its driver." if torch.version.cuda is None else "Check `nvidia-smi`."
    return Finding("GPU", "absent", need, remedy)


def _compiler() -> Finding:
    if path := shutil.which("g++") or shutil.which("clang++"):
        return Finding("C++", "found", path)
    need = "`train.compile` on a CPU and the build of the ROS messages need a compiler."
    return Finding("C++", "absent", need, "sudo apt install g++")


def _gl() -> Finding:
    for name in ("libEGL.so.1", "libOSMesa.so.8", "libOSMesa.so.6"):
        try:
            CDLL(name)
        except OSError:
            continue
        return Finding("OpenGL", "found", name)
    need = "The simulated humanoid renders offscreen with EGL or OSMesa."
    return Finding("OpenGL", "absent", need, "sudo apt install libegl1 libgl1-mesa-dri")


def _ros() -> Finding:
    if importlib.util.find_spec("rclpy"):
        return Finding("ROS 2", "found", os.environ.get("ROS_DISTRO", "rclpy, no ROS_DISTRO set"))
    need = "Nodes, `hwm play` and `hwm node` need rclpy; everything else runs without it."
    remedy = "Source ROS 2 (source /opt/ros/<distro>/setup.bash), or in the checkout: make build && .ci/in_env hwm ..."
    return Finding("ROS 2", "absent", need, remedy)


def _rmw() -> Finding:
    if not importlib.util.find_spec("rclpy"):
        return Finding("middleware", "absent", "unknown without ROS 2", "")
    name = os.environ.get("RMW_IMPLEMENTATION", "default (rmw_fastrtps_cpp)")
    return Finding("middleware", "found", f"{name}, domain {os.environ.get('ROS_DOMAIN_ID', '0')}")


def _package() -> Finding:
    prefixes = [Path(path) for path in os.environ.get("AMENT_PREFIX_PATH", "").split(":") if path]
    if any((prefix / "share" / "hwm_ros" / "package.xml").exists() for prefix in prefixes):
        return Finding("hwm_ros", "found", "built and sourced")
    remedy = "Build the workspace and source install/setup.bash, or in the checkout: make build && .ci/in_env hwm ..."
    return Finding("hwm_ros", "absent", "The nodes need the built package with its messages.", remedy)


def _disk() -> Finding:
    free_gb = shutil.disk_usage(".").free / 1e9
    if free_gb < _DISK_GB:
        need = f"{free_gb:.1f} GB free here; a store with its checkpoints takes about {_DISK_GB:g} GB."
        return Finding("disk", "absent", need, "Free some space, or work on another disk.")
    return Finding("disk", "found", f"{free_gb:.0f} GB free in {Path.cwd()}")
