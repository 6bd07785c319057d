"""Tiny masked against tiny flow at equal parameters, data and time: one run, or the table of all.

    python -m benchmarks.tiny_comparison run masked split --data store --tokenizer tokenizer --out runs/comparison
    python -m benchmarks.tiny_comparison table

`run` trains one model for 30 minutes of one core's time, judges it on fresh simulated episodes and writes
benchmarks/results/tiny/<family>_<variant>_<seed>.json. Stopped, it goes on by the same command.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

import torch

from benchmarks.decodings import SAMPLES, SINGLE, judge
from benchmarks.equal_size import PRESETS, overrides
from benchmarks.record import RESULTS, command_line, write_result
from benchmarks.tiny_table import report
from hwm_core.data.store import open_store
from hwm_core.errors import BadInput
from hwm_core.evaluation.simulated import FIRST_SEED, held_out
from hwm_core.evaluation.windows import EvaluationWindows
from hwm_core.models.config import Variant
from hwm_core.train.recipe import read_recipe
from hwm_core.world_model import WorldModel
from training import train

HORIZONS = (8, 16, 24)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; exit status 0: done; 1: stopped before, to be resumed; 2: bad input."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=RESULTS / "tiny", help="folder of results (%(default)s)")
    actions = parser.add_subparsers(dest="action", required=True)
    actions.add_parser("table", help="print the table of what was run, and what is missing")
    one = actions.add_parser("run", help="train and judge one model, or go on with it")
    one.add_argument("family", choices=PRESETS)
    one.add_argument("variant", choices=get_args(Variant))
    one.add_argument("--seed", type=int, default=0, help="of weights, windows and draws in training (%(default)s)")
    one.add_argument("--data", type=Path, required=True, help="an episode store of the simulated humanoid")
    one.add_argument("--tokenizer", type=Path, required=True, help="folder that training.train_tokenizer wrote")
    one.add_argument("--out", type=Path, required=True, help="folder of the runs; each gets a folder in it")
    one.add_argument("--minutes", type=float, default=30.0, help="of processor time on one core (%(default)s)")
    one.add_argument("--episodes", type=int, default=16, help="held-out episodes that are simulated (%(default)s)")
    one.add_argument("--stride", type=int, default=40, help="frames between windows that are judged (%(default)s)")
    one.add_argument("--set", nargs="*", default=[], metavar="section.key=value", help="changes to both presets")
    parsed = parser.parse_args(words)
    try:
        if parsed.action == "table":
            print(report(parsed.results))
            return 0
        return 0 if _run(parsed, command_line("benchmarks.tiny_comparison", words)) else 1
    except BadInput as error:
        parser.error(str(error))


def _run(arguments: argparse.Namespace, command: str) -> bool:
    """Whether the result is there. Raises BadInput for whatever the user can put right."""
    torch.set_num_threads(1)
    name = f"{arguments.family}_{arguments.variant}_{arguments.seed}"
    result, out = arguments.results / f"{name}.json", arguments.out / name
    if result.exists():
        print(f"{result} is there already; remove it to judge again.")
        return True
    if train.main(_training(arguments, out)) != 0:
        return False
    print(f"Judging {name} on {arguments.episodes} fresh episodes.")
    world_model = WorldModel.load(out / "checkpoint")
    episodes, _ = held_out(range(FIRST_SEED, FIRST_SEED + arguments.episodes), world_model.preprocessing)
    lengths = (world_model.past_frames, world_model.future_frames)
    windows = EvaluationWindows(episodes, world_model.manifest, *lengths, arguments.stride)
    model, metadata = world_model.model, world_model.metadata
    write_result(
        result,
        command=command,
        n={"episodes": len(episodes), "windows": len(windows), "samples_of_mean": SAMPLES},
        figures={
            "family": arguments.family,
            "variant": arguments.variant,
            "seed": arguments.seed,
            "minutes": metadata["recipe"]["train"]["max_minutes"],
            "steps": metadata["steps"],
            "parameters": sum(p.numel() for p in model.parameters()),
            "parameters_trained": sum(p.numel() for p in model.parameters() if p.requires_grad),
            "horizons": list(HORIZONS),
            "sampling": SINGLE[arguments.family].plain(),
            **judge(world_model, windows, HORIZONS),
            "revision": metadata["revision"],
            "recipe": metadata["recipe"],
        },
    )
    print(f"Written to {result}")
    return True


def _training(arguments: argparse.Namespace, out: Path) -> list[str]:
    """Arguments of training.train; a run that has begun goes on by its own recipe."""
    folders = ["--data", str(arguments.data), "--tokenizer", str(arguments.tokenizer), "--out", str(out)]
    if (out / "state.pt").exists():
        return [*folders, "--resume"]
    preset, store = PRESETS[arguments.family], open_store(arguments.data)
    recipe = read_recipe(preset, arguments.set)
    size = (store.preprocessing.height, store.preprocessing.width)
    row = overrides(arguments.family, arguments.variant, size, store.manifests[recipe.data.actions].dim, arguments.set)
    budget = [
        "train.steps=null",
        f"train.max_minutes={arguments.minutes}",
        "train.clock=processor",
        "train.evaluate_every=1000000",  # at the end, when the budget is spent
        f"train.seed={arguments.seed}",
    ]
    return [*folders, "--preset", preset, *row, *budget]


if __name__ == "__main__":
    sys.exit(main())
