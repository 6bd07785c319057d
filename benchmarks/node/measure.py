"""Measure the world_model node with 640x480 images at 30 Hz and joint states and commands at 200 Hz, in three phases.

    python -m benchmarks.node.measure [--seconds 60] [--checkpoint tiny]

The phases: raw images; raw images while 64 candidates are scored without a pause; the same with JPEG images. For each
phase: lost images, the stages inside the node from its diagnostics (transport from the image's stamp to the callback,
decode, publish of a status; encode, rollout and cost of a request), the age of the newest frame when its scores arrive,
a service call minus the model's own time, processor time by thread, and memory. The result is
benchmarks/results/node.json, with the load of the machine before and after: compare figures of machines at rest only.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import rclpy

from benchmarks.node.loading_client import CANDIDATES, LoadingClient
from benchmarks.node.milliseconds import milliseconds
from benchmarks.node.process_usage import busiest, memory_mb, thread_seconds
from benchmarks.node.robot_load import HEIGHT, JOINTS_HZ, RATE_HZ, WIDTH, Transport
from benchmarks.node.served_node import BENCH_DOMAIN, machine_load, served_node
from benchmarks.node.table import phases_table
from benchmarks.record import RESULTS, command_line, write_result
from hwm_core.assets import CHECKPOINT_HELP, DEFAULT
from hwm_ros.processes import isolate

PHASES: tuple[tuple[str, Transport, bool], ...] = (
    ("raw", "raw", False),
    ("raw, scoring", "raw", True),
    ("JPEG, scoring", "compressed", True),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line. Exit status 0: done."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", default=DEFAULT, help=CHECKPOINT_HELP)
    parser.add_argument("--device", default="cpu", help="of the model (%(default)s)")
    parser.add_argument("--seconds", type=float, default=60.0, help="length of each phase (%(default)s)")
    parser.add_argument("--out", type=Path, default=RESULTS / "node.json", help="result file (%(default)s)")
    parsed = parser.parse_args(arguments)
    isolate(BENCH_DOMAIN)
    rclpy.init()
    before = machine_load()
    phases = {
        name: _phase(transport, ask, parsed.seconds, parsed.checkpoint, parsed.device)
        for name, transport, ask in PHASES
    }
    rclpy.try_shutdown()
    write_result(
        parsed.out,
        command=command_line("benchmarks.node.measure", sys.argv[1:] if arguments is None else arguments),
        n={"seconds per phase": round(parsed.seconds), "candidates": CANDIDATES},
        numbers={
            "load": {"before": before, "after": machine_load()},
            "camera": f"{WIDTH}x{HEIGHT} at {RATE_HZ:g} Hz, joint states and commands at {JOINTS_HZ:g} Hz",
            "phases": phases,
        },
        device=parsed.device,
    )
    print(phases_table(phases))
    return 0


def _phase(transport: Transport, ask: bool, seconds: float, checkpoint: str, device: str) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder, served_node(checkpoint, Path(folder), device=device) as process:
        load = LoadingClient(transport)
        try:
            load.start()
            load.run(min(5.0, seconds / 4), ask)  # warm-up
            threads, memory = thread_seconds(process.pid), memory_mb(process.pid)
            measured = load.run(seconds, ask)
            used = busiest(threads, thread_seconds(process.pid), seconds)
            return {
                "images_sent": measured.sent,
                "images_lost": measured.sent - measured.received,
                "stages_ms": load.stages(),
                "status_age_ms": milliseconds(measured.ages),
                "score_age_ms": milliseconds(measured.score_ages),
                "service_minus_model_ms": milliseconds(measured.overheads),
                "requests": {"answered": len(measured.overheads), "failed": measured.failed},
                "cpu_percent_by_thread": used,
                "memory_mb": [round(memory), round(memory_mb(process.pid))],
                "load": machine_load(),
            }
        finally:
            load.close()


if __name__ == "__main__":
    sys.exit(main())
