"""Run the world_model node under load for ten minutes, and check that memory and latency stay flat.

    python -m benchmarks.node.soak [--seconds 600] [--checkpoint tiny]

Load: raw 640x480 images at 30 Hz, joint states and commands at 200 Hz, 64 candidates scored without a pause. After a
warm-up of a tenth of the time, the run is divided into ten parts. Flat means: in the last three parts the memory is at
most 5 % above the first three, and the median latency at most twice theirs. The result is benchmarks/results/soak.json
with the load of the machine in every part. Exit status 1: not flat.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import rclpy

from benchmarks.node.loading_client import CANDIDATES, LoadingClient
from benchmarks.node.milliseconds import milliseconds
from benchmarks.node.process_usage import memory_mb
from benchmarks.node.served_node import BENCH_DOMAIN, machine_load, served_node
from benchmarks.record import RESULTS, command_line, write_result
from hwm_core.assets import CHECKPOINT_HELP, DEFAULT
from hwm_ros.processes import isolate

_PARTS, _END = 10, 3
_MEMORY, _LATENCY = 1.05, 2.0  # largest ratios of the end to the beginning


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line. Exit status 0: flat; 1: not."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", default=DEFAULT, help=CHECKPOINT_HELP)
    parser.add_argument("--device", default="cpu", help="of the model (%(default)s)")
    parser.add_argument("--seconds", type=float, default=600.0, help="length without the warm-up (%(default)s)")
    parser.add_argument("--out", type=Path, default=RESULTS / "soak.json", help="result file (%(default)s)")
    parsed = parser.parse_args(arguments)
    isolate(BENCH_DOMAIN)
    rclpy.init()
    with (
        tempfile.TemporaryDirectory() as folder,
        served_node(parsed.checkpoint, Path(folder), device=parsed.device) as process,
    ):
        load = LoadingClient()
        load.start()
        load.run(parsed.seconds / 10, ask=True)
        parts = [_part(load, parsed.seconds / _PARTS, process.pid) for _ in range(_PARTS)]
        load.close()
    rclpy.try_shutdown()
    found = flatness(parts)
    write_result(
        parsed.out,
        command=command_line("benchmarks.node.soak", sys.argv[1:] if arguments is None else arguments),
        n={"seconds": round(parsed.seconds), "parts": _PARTS, "candidates": CANDIDATES},
        numbers={"flat": is_flat(found), "end_to_beginning": found, "parts": parts},
        device=parsed.device,
    )
    print(f"{'flat' if is_flat(found) else 'not flat'}: end / beginning = {found}")
    return 0 if is_flat(found) else 1


def flatness(parts: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Ratios of the last three parts to the first three: of memory, and of the median ages of statuses and scores."""

    def ratio(values: Sequence[float]) -> float:
        return round(float(np.median(values[-_END:]) / np.median(values[:_END])), 3)

    ages = {what: [part[what]["p50"] for part in parts if part[what]] for what in ("status_age_ms", "score_age_ms")}
    return {"memory": ratio([part["memory_mb"] for part in parts])} | {
        what: ratio(values) for what, values in ages.items() if len(values) >= 2 * _END
    }


def is_flat(ratios: dict[str, float]) -> bool:
    """Whether these ratios of `flatness` are of a node that may run on."""
    return all(value <= (_MEMORY if what == "memory" else _LATENCY) for what, value in ratios.items())


def _part(load: LoadingClient, seconds: float, pid: int) -> dict[str, Any]:
    measured = load.run(seconds, ask=True)
    return {
        "memory_mb": round(memory_mb(pid), 1),
        "images_sent": measured.sent,
        "images_lost": measured.sent - measured.received,
        "requests": {"answered": len(measured.overheads), "failed": measured.failed},
        "status_age_ms": milliseconds(measured.ages, digits=1),
        "score_age_ms": milliseconds(measured.score_ages, digits=1),
        "load_1_min": machine_load()["load_1_min"],
    }


if __name__ == "__main__":
    sys.exit(main())
