"""Runs a world_model node for 640x480 images in a process of its own, and tells how busy the machine is."""

import dataclasses
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.node.robot_load import HEIGHT, WIDTH
from hwm_core.world_model.checkpoint import load_checkpoint, save_checkpoint
from hwm_ros.processes import node_process

BENCH_DOMAIN = 215 + os.getpid() % 17
"""A ROS domain that tests do not use: their nodes and messages would count."""


@contextmanager
def served_node(checkpoint: str, folder: Path, **parameters: object) -> Iterator[subprocess.Popen]:
    """The process of an installed world_model node that serves a copy of the checkpoint for images of 4 to 3.

    Args:
        checkpoint: folder, or name of a shipped one.
        folder: for the copy and the log.
        parameters: of the node.
    """
    loaded = load_checkpoint(checkpoint)  # the node rejects images of another aspect ratio
    preprocessing = loaded.preprocessing.model_copy(update={"source_aspect": WIDTH / HEIGHT})
    save_checkpoint(folder / "checkpoint", dataclasses.replace(loaded, preprocessing=preprocessing))
    with node_process(
        "world_model", {"checkpoint": folder / "checkpoint", **parameters}, folder / "world_model.txt"
    ) as process:
        yield process


def machine_load() -> dict[str, Any]:
    """How busy the machine is: processes that run or wait for a core, averaged over 1 and 5 minutes."""
    one, five, _ = os.getloadavg()
    return {"load_1_min": round(one, 2), "load_5_min": round(five, 2), "cores": os.cpu_count()}
