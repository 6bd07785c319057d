"""Demo: the simulated humanoid fulfils a task with the world model, then the model is evaluated offline.

python -m hwm_ros.demo --out demo_out                simulate, plan, record, replay, evaluate
python -m hwm_ros.demo --out demo_out --bag BAG      replay your own recording only
python -m hwm_ros.demo --out demo_out --checkpoint flow_tiny  use the flow model
"""

import argparse
import json
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Any

import rclpy
from tqdm import tqdm

from hwm_core.assets import CHECKPOINT_HELP, DEFAULT, checkpoint_path
from hwm_core.data.recording.image_message import decode_image
from hwm_core.data.rosbag2.recording import BagRecording
from hwm_core.data.rosbag2.topics import Topics
from hwm_core.device import read_device
from hwm_core.errors import BadInput
from hwm_core.evaluation.checkpoint_evaluation import caption, describe
from hwm_core.evaluation.engine import Evaluation
from hwm_core.evaluation.examples import examples
from hwm_core.evaluation.json_report import psnr_tables_json
from hwm_core.evaluation.plan_video import TimedPlan, plan_video
from hwm_core.evaluation.replay import Replay, ReplayConfig, replay
from hwm_core.evaluation.simulated import held_out
from hwm_core.evaluation.tables import markdown
from hwm_core.io.atomic import new_file, write_text
from hwm_core.sampling.config import Sampling
from hwm_core.sim.model import CONTROL_HZ
from hwm_core.sim.tasks.table import TASKS
from hwm_core.sim.tasks.task import TaskKind
from hwm_core.visualization import contact_sheet, plan_strip, write_png
from hwm_core.world_model.model import WorldModel
from hwm_ros import convert
from hwm_ros.action import PlanActions
from hwm_ros.error_codes import Rejected
from hwm_ros.processes import NodeDied, isolate, own_domain
from hwm_ros.task_episode import TaskEpisode, run_task_episode

TASK_SEED = 2_400_002
EVALUATION_SEED = 2_000_000  # of the first held-out episode
EPISODES = 4  # of 10 s, 54 windows each; half of the episodes keep the neck fixed
EXAMPLES = 4  # in the contact sheet


def main() -> int:
    """The command line. The exit status is 0 when all outputs were written."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("demo_out"),
        help="output folder; the outputs of an earlier demo are replaced (default: %(default)s)",
    )
    parser.add_argument("--bag", type=Path, help="your own rosbag2 recording: replay it instead of simulating")
    parser.add_argument("--checkpoint", default=DEFAULT, help=f"{CHECKPOINT_HELP} (default: %(default)s)")
    parser.add_argument("--device", default="cpu", help="cpu or cuda (default: %(default)s)")
    parser.add_argument("--task", choices=TASKS, default="reach", help="task of the robot (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=TASK_SEED, help="seed of the task (default: %(default)s)")
    parser.add_argument(
        "--episodes", type=int, default=EPISODES, help="number of held-out episodes (default: %(default)s)"
    )
    arguments = parser.parse_args()
    arguments.checkpoint = checkpoint_path(arguments.checkpoint)
    started = monotonic()
    try:
        world_model = WorldModel.load(arguments.checkpoint, device=read_device(arguments.device))
        arguments.out.mkdir(parents=True, exist_ok=True)
        if arguments.bag is not None:
            print(_replay(arguments.bag, world_model, arguments.out).table)
        else:
            _simulate(arguments, world_model)
    except (BadInput, NodeDied, Rejected) as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    outputs = ", ".join(sorted(str(path) for path in arguments.out.glob("*.*")))
    print(f"Done in {monotonic() - started:.0f} s. Outputs: {outputs}")
    return 0


def _simulate(arguments: argparse.Namespace, world_model: WorldModel) -> None:
    """Run the closed loop, replay its recording, and evaluate the model on held-out episodes."""
    out: Path = arguments.out
    bag, logs = out / "bag", out / "log"
    for old in (bag, logs, out / "replay"):
        shutil.rmtree(old, ignore_errors=True)
    logs.mkdir()
    kind = TASKS[arguments.task]
    print(f"1/3  Task {kind.name}: simulated humanoid, world model and planner, three processes over DDS in lockstep")
    episode = _run_task(kind, arguments, bag, logs)
    before, after = episode.errors[0], episode.errors[-1]
    task = {
        "name": kind.name,
        "seed": arguments.seed,
        "unit": kind.unit,
        "error_before": before,
        "error_after": after,
        "success": after < kind.threshold,
    }
    print(f"     distance to the goal {before:.3f} {kind.unit} -> {after:.3f} {kind.unit}")
    print(f"     {episode.rate_hz:.2f} control steps per second (real time: {CONTROL_HZ})")
    _draw_task(world_model, kind, episode, bag, task, out)
    print("2/3  Replay of the recorded bag")
    replayed = _replay(bag, world_model, out / "replay")
    print("3/3  Evaluation on held-out episodes")
    tables, table = _evaluate(world_model, arguments.episodes, out)
    metrics = {
        **tables,
        "psnr_db_replay": replayed.metrics["psnr_db"],
        "task": task,
        "frames": episode.frames,
        "control_steps_per_second": round(episode.rate_hz, 3),
        "latency_ms": {
            stage: {name: round(percentiles[name], 3) for name in ("p50", "p95")}
            for stage, percentiles in episode.latency_ms.items()
        },
        "checkpoint": describe(world_model),
        "device": str(world_model.device),
    }
    write_text(out / "metrics.json", json.dumps(metrics, indent=2, allow_nan=False) + "\n")
    print(f"\n{table}\n{_latency_table(episode)}")


def _run_task(kind: TaskKind, arguments: argparse.Namespace, bag: Path, logs: Path) -> TaskEpisode:
    isolate(own_domain())
    rclpy.init()
    with tqdm(unit="frame", desc="     running", file=sys.stdout) as bar:

        def show(feedback: PlanActions.Feedback, num_frames: int) -> None:
            bar.total = num_frames
            bar.set_postfix(cost=f"{feedback.best_cost:.4f}", plan=f"{feedback.plan_ms:.0f} ms", refresh=False)
            bar.update(feedback.frames_done - bar.n)

        try:
            episode = run_task_episode(
                kind, arguments.checkpoint.resolve(), arguments.seed, arguments.device, bag, logs, show
            )
        finally:
            rclpy.try_shutdown()
    if episode.failure is not None:
        raise episode.failure
    return episode


def _draw_task(
    world_model: WorldModel, kind: TaskKind, ran: TaskEpisode, bag: Path, task: dict[str, Any], out: Path
) -> None:
    """Write <task>.mp4 and <task>.png."""
    episode, _ = BagRecording(bag, Topics()).read(world_model.preprocessing, world_model.manifest.names)
    goal = world_model.preprocessing.apply(decode_image(ran.goal))
    plans = [TimedPlan(convert.stamp_ns(plan.header.stamp), convert.read_sequence(plan)) for plan in ran.plans]
    # One error for each camera frame; the model may have every second one.
    ages = [round((episode.stamps_ns[-1] - stamp) * 1e-9 * CONTROL_HZ) for stamp in episode.stamps_ns]
    errors = [ran.errors[max(-1 - age, -len(ran.errors))] for age in ages]
    rate = world_model.frame_rate_hz
    captions = [
        f"{frame / rate:.2f} s   distance to the goal {error:.3f} {kind.unit}" for frame, error in enumerate(errors)
    ]
    plan_video(out / f"{kind.name}.mp4", world_model, episode, plans, goal, captions, Sampling())
    outcome = "success" if task["success"] else "no success"
    notes = (
        f"distance {task['error_before']:.3f} {kind.unit} -> {task['error_after']:.3f} {kind.unit}",
        f"{len(plans)} plans",
    )
    title = f"Task {kind.name}, seed {task['seed']}: {outcome}"
    strip = plan_strip(title, notes, episode.frames[0], goal, episode.frames[1:])
    with new_file(out / f"{kind.name}.png") as partial:
        write_png(partial, strip)


def _replay(bag: Path, world_model: WorldModel, out: Path) -> Replay:
    with _progress("     predicting") as progress:
        return replay(bag, world_model, out, ReplayConfig(), progress)


def _evaluate(world_model: WorldModel, episodes: int, out: Path) -> tuple[dict[str, Any], str]:
    seeds = tqdm(
        range(EVALUATION_SEED, EVALUATION_SEED + episodes), unit="episode", desc="     simulating", file=sys.stdout
    )
    recorded, objects = held_out(seeds, world_model.preprocessing)
    evaluation = Evaluation(world_model, recorded, objects=objects)
    with _progress("     predicting") as progress:
        result = evaluation.run(progress)
    sheet = contact_sheet(
        f"{episodes} held-out episodes",
        caption(world_model, evaluation.config.sampling),
        examples(evaluation, result, EXAMPLES),
        world_model.frame_rate_hz,
    )
    with new_file(out / "contact_sheet.png") as partial:
        write_png(partial, sheet)
    return psnr_tables_json(result), markdown(result)


@contextmanager
def _progress(text: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar; yields the callback (done, total) that the evaluation expects."""
    with tqdm(unit="window", desc=text, file=sys.stdout) as bar:

        def update(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield update


def _latency_table(episode: TaskEpisode) -> str:
    lines = ["| latency | p50 | p95 |", "| --- | ---: | ---: |"]
    lines += [f"| {stage} | {ms['p50']:.1f} ms | {ms['p95']:.1f} ms |" for stage, ms in episode.latency_ms.items()]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
