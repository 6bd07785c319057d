"""Compare reaches in real time, in lockstep, and without ROS, on the same development seeds.

    python -m benchmarks.node.real_time [--episodes 50] [--checkpoint plan] [--task reach] [--rows lockstep real_time]

`lockstep` and `real_time` are three processes over DDS. In lockstep the simulation waits for every command; in real
time it does not, so a search must be fast enough for the robot. In exchange, an episode in real time is four times as
long: its searches take time, and so do those of lockstep, about 8 s for a reach of 2.1 s on two cores. `without_ros` is
the row `model` of the closed-loop bench, in one process. The episodes of a seed follow each other, and each is kept
when it ends: the same command continues an interrupted run. A goal that ends early counts as it stands then. The result
is benchmarks/results/real_time.json. On a machine at rest, success in real time should be within 15 points of
lockstep's; lockstep and without ROS should end alike.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import rclpy
import torch

from benchmarks.node.served_node import BENCH_DOMAIN, machine_load
from benchmarks.node.table import real_time_report
from benchmarks.record import RESULTS, machine
from hwm_core.assets import CHECKPOINT_HELP
from hwm_core.evaluation.closed_loop.job import EpisodeJob
from hwm_core.evaluation.closed_loop.record import EpisodeRecord
from hwm_core.evaluation.closed_loop.resources import ResourcesSpec
from hwm_core.evaluation.closed_loop.results import ResultsFile
from hwm_core.evaluation.closed_loop.seed_list import read_seed_list
from hwm_core.sim.tasks.table import TASKS
from hwm_core.sim.tasks.task import TaskKind
from hwm_core.world_model.checkpoint_files import checkpoint_folder
from hwm_ros.processes import isolate
from hwm_ros.task_episode import TaskEpisode, run_task_episode

_SEEDS = Path(__file__).parent.parent / "closed_loop" / "seeds.json"
_TIMES = 4  # length of an episode in real time, in lengths of the task
_ROWS = ("lockstep", "real_time", "without_ros")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line. Exit status 0: all episodes are there."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", default="plan", help=CHECKPOINT_HELP)
    parser.add_argument("--device", default="cpu", help="of the model (%(default)s)")
    parser.add_argument("--task", choices=TASKS, default="reach", help="kind of task (%(default)s)")
    parser.add_argument("--episodes", type=int, default=50, help="of each row (%(default)s)")
    parser.add_argument("--rows", choices=_ROWS, nargs="+", default=_ROWS, help="what to run (all)")
    parser.add_argument("--out", type=Path, default=RESULTS / "real_time.json", help="result file (%(default)s)")
    parsed = parser.parse_args(arguments)
    checkpoint = checkpoint_folder(parsed.checkpoint).resolve()
    kind, results = TASKS[parsed.task], ResultsFile(parsed.out, EpisodeRecord)
    settings = {"checkpoint": checkpoint.name, "device": parsed.device, "cpu": machine(parsed.device)["cpu"]}
    for name in parsed.rows:
        results.open_row(name, name.replace("_", " "), settings)
    isolate(BENCH_DOMAIN)
    rclpy.init()
    try:
        for seed in read_seed_list(_SEEDS).first("development", kind.name, parsed.episodes):
            for name in parsed.rows:
                if results.has(name, kind.name, seed):
                    continue
                record, failure = _episode(name, kind, checkpoint, seed, parsed.device)
                results.add(name, kind.name, seed, record)
                print(
                    f"{name} {seed}: {record.errors[0]:.3f} -> {record.final:.3f} {kind.unit}, "
                    f"load {machine_load()['load_1_min']:g}. {failure}",
                    flush=True,
                )
    finally:
        rclpy.try_shutdown()
    print(real_time_report(parsed.out))
    return 0


def _episode(row: str, kind: TaskKind, checkpoint: Path, seed: int, device: str) -> tuple[EpisodeRecord, str]:
    """The record of one episode, and why its goal ended early, in words."""
    if row == "without_ros":
        spec = ResourcesSpec(checkpoint, baselines=None, config=None, device=device, threads=torch.get_num_threads())
        return EpisodeJob("model", kind.name, seed, spec, films=None)(), ""
    lasting = kind if row == "lockstep" else replace(kind, seconds=_TIMES * kind.seconds)
    with tempfile.TemporaryDirectory() as logs:
        episode = run_task_episode(
            lasting, checkpoint, seed, device, None, Path(logs), lambda *_: None, lockstep=row == "lockstep"
        )
    return _record(kind, episode), str(episode.failure or "")


def _record(kind: TaskKind, episode: TaskEpisode) -> EpisodeRecord:
    """The numbers of an episode; `decision_seconds` are wall times of whole searches."""
    seconds = episode.latency_ms.get("plan", {"p50": 0.0, "p99": 0.0})
    return EpisodeRecord(
        success=episode.errors[-1] < kind.threshold,
        success_at_closest=min(episode.errors) < kind.threshold,
        errors=tuple(round(error, 5) for error in episode.errors),
        decisions=max(1, len(episode.plans)),
        futures=0,
        decision_seconds=(round(seconds["p50"] / 1e3, 4), round(seconds["p99"] / 1e3, 4)),
    )


if __name__ == "__main__":
    sys.exit(main())
