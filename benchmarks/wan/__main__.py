"""Train a tiny Wan model on simulated episodes: VAE, video transformer, then low-rank updates with robot states.

    hwm sim record --out runs/wan/recordings --train 20 --val 8 --seconds 6 --camera-size 64
    hwm prepare runs/wan/recordings/train --validation runs/wan/recordings/val --robot runs/wan/recordings/robot.yaml \
      --frame-skip 2 --size 32 --out runs/wan/store
    python -m benchmarks.wan runs/wan --minutes 1.25 0.7 1

Each stage runs for its processor minutes; a finished stage is not repeated. The result is benchmarks/results/wan.json.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from benchmarks.record import RESULTS, command_line, write_result
from benchmarks.wan.pretraining import train_base, train_vae
from hwm_core.io.atomic import write_json
from hwm_core.train.recipe import read_recipe
from hwm_core.train.reporter import Progress
from training.main import main as hwm

RECIPE = Path(__file__).parent / "tiny.yaml"
CONDITIONS = ("model", "shuffled", "none", "copy_last", "tokenizer")


class Curve:
    """A reporter that keeps every tenth loss."""

    def __init__(self) -> None:
        self.points: list[tuple[int, float]] = []

    def report(self, progress: Progress, metrics: Mapping[str, float]) -> None:
        if "train/loss" in metrics:
            self.points.append((progress.step, round(metrics["train/loss"], 5)))
            print(progress.step, round(progress.elapsed_s), self.points[-1][1], flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="folder with `store`")
    parser.add_argument(
        "--minutes", type=float, nargs=3, default=(6.0, 4.0, 6.0), help="processor minutes of the three stages"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=RESULTS / "wan.json", help="result file (%(default)s)")
    options = parser.parse_args(words)
    torch.set_num_threads(1)
    run, (vae, base, states) = options.run, options.minutes
    store, pipeline, tokens = run / "store", run / "pipeline", run / "tokens"
    stages = {
        "vae": lambda curve: train_vae(store, pipeline, vae, options.seed, curve),
        "tokens": lambda curve: _tokenise(store, pipeline / "vae", tokens),
        "base": lambda curve: train_base(tokens, pipeline, read_recipe(str(RECIPE)), base, options.seed, curve),
        "states": lambda curve: _train_states(run, states, options.seed),
        "evaluation": lambda curve: _evaluate(run),
    }
    for name, stage in stages.items():
        if (done := run / f"{name}.json").exists():
            continue
        curve = Curve()
        steps = stage(curve)
        write_json(done, {"steps": steps, "loss": curve.points})
    evaluation = json.loads((run / "evaluation/evaluation.json").read_text())
    write_result(
        options.out,
        command=command_line("benchmarks.wan", words),
        n={"episodes": len(evaluation["episodes"]), "windows": next(iter(evaluation["psnr_db"].values()))["windows"]},
        numbers={
            "processor_minutes": dict(zip(("vae", "base", "states"), options.minutes, strict=True)),
            "stages": {name: json.loads((run / f"{name}.json").read_text()) for name in ("vae", "base")},
            "states": _curve(run / "states"),
            **{key: evaluation[key] for key in ("psnr_db", "controllability_db")},
        },
    )
    print(json.dumps({key: evaluation[key] for key in ("psnr_db", "controllability_db")}, indent=1))
    return 0


def _tokenise(store: Path, vae: Path, out: Path) -> int:
    words = ["--latents", 6, "--stride", 2, "--exact", "--precision", "float32"]
    return _hwm("tokenize", store, "--tokenizer", vae, "--out", out, *words)


def _train_states(run: Path, minutes: float, seed: int) -> int:
    folders = ["--base", run / "pipeline", "--tokenizer", run / "pipeline/vae", "--data", run / "tokens"]
    budget = [f"train.max_minutes={minutes}", f"train.seed={seed}"]
    return _hwm("train", "--preset", RECIPE, *folders, "--out", run / "states", *budget)


def _evaluate(run: Path) -> int:
    words = ["--horizons", 4, 8, 16, "--stride", 5, "--no-ssim", "--sensitivity", 0, "--out", run / "evaluation"]
    return _hwm("evaluate", "--checkpoint", run / "states/checkpoint", "--store", run / "store", *words)


def _curve(run: Path) -> dict[str, Any]:
    """The first and the last numbers that the training with states has reported."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(run))
    events.Reload()
    names = [name for name in events.Tags()["scalars"] if name.startswith(("train/loss", "validation/"))]
    return {name: [[one.step, round(one.value, 5)] for one in events.Scalars(name)] for name in names}


def _hwm(*words: object) -> int:
    status = hwm([str(word) for word in words])
    if status:
        raise SystemExit(status)
    return status


if __name__ == "__main__":
    sys.exit(main())
