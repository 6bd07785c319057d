r"""Compare the tiny masked and flow models at equal parameters, data and training time.

    python -m benchmarks.tiny.comparison throughput --data store \
      --masked-tokenizer hwm_core/assets/tiny --flow-tokenizer hwm_core/assets/flow_tiny
    python -m benchmarks.tiny.comparison run masked split --data store \
      --tokenizer hwm_core/assets/tiny --out runs/comparison
    python -m benchmarks.tiny.comparison table

`throughput` measures all eight models side by side. It gives the number of training steps of each model in the same
time. `run` trains one model for these steps and evaluates it on simulated episodes that no store contains. It writes
benchmarks/results/tiny/<family>_<variant>_<seed>.json. The same command resumes an interrupted run.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

import torch

from benchmarks.model_result import evaluated, sample_counts
from benchmarks.record import RESULTS, command_line, write_result
from benchmarks.tiny.equal_size import PRESETS, overrides_for
from benchmarks.tiny.runs import THROUGHPUT
from benchmarks.tiny.table import report
from benchmarks.tiny.throughput import STEPS_PER_TURN, measure, read_throughput
from hwm_core.errors import BadConfig, BadInput
from hwm_core.evaluation.simulated import held_out
from hwm_core.evaluation.windows import EvaluationWindows
from hwm_core.models.config import Variant
from hwm_core.sim.seeds import FIRST_SEED
from hwm_core.world_model.model import WorldModel
from training.main import main as hwm

HORIZONS = (8, 16, 24)  # frames ahead


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line. Exit status 0: done; 1: stopped before the end, can be resumed; 2: bad input."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=RESULTS / "tiny", help="folder of the results (%(default)s)")
    actions = parser.add_subparsers(dest="action", required=True)
    actions.add_parser("table", help="print the tables of all results, and the runs that are missing")
    run = actions.add_parser("run", help="train and evaluate one model, or resume it")
    run.add_argument("family", choices=PRESETS, help="model family")
    run.add_argument("variant", choices=get_args(Variant), help="variant of the family")
    run.add_argument("--seed", type=int, default=0, help="seed of the training (%(default)s)")
    run.add_argument("--tokenizer", type=Path, required=True, help="folder written by hwm train-tokenizer")
    run.add_argument("--out", type=Path, required=True, help="folder for all runs; each run gets a folder in it")
    run.add_argument("--episodes", type=int, default=16, help="simulated held-out episodes (%(default)s)")
    run.add_argument("--stride", type=int, default=40, help="frames between evaluated windows (%(default)s)")
    throughput = actions.add_parser("throughput", help="measure the speed of all eight models, side by side")
    throughput.add_argument("--masked-tokenizer", type=Path, required=True, help="tokenizer of the masked models")
    throughput.add_argument("--flow-tokenizer", type=Path, required=True, help="tokenizer of the flow models")
    throughput.add_argument(
        "--minutes", type=float, default=26.0, help="training time of a run: processor time on one core (%(default)s)"
    )
    throughput.add_argument("--rounds", type=int, default=5, help="rounds over all eight models (%(default)s)")
    for subparser in (run, throughput):
        subparser.add_argument("--data", type=Path, required=True, help="an episode store of the simulated humanoid")
        subparser.add_argument(
            "--set", nargs="*", default=[], metavar="section.key=value", help="overrides for both presets"
        )
    parsed = parser.parse_args(words)
    try:
        if parsed.action == "table":
            print(report(parsed.results))
            return 0
        command = command_line("benchmarks.tiny.comparison", words)
        if parsed.action == "throughput":
            _throughput(parsed, command)
            return 0
        return 0 if _run(parsed, command) else 1
    except BadInput as error:
        parser.error(str(error))


def _throughput(arguments: argparse.Namespace, command: str) -> None:
    torch.set_num_threads(1)
    tokenizers = {"masked": arguments.masked_tokenizer, "flow": arguments.flow_tokenizer}
    numbers = measure(arguments.data, tokenizers, arguments.rounds, arguments.set)
    path = arguments.results / THROUGHPUT
    write_result(
        path,
        command=command,
        n={"rounds": arguments.rounds, "steps_per_turn": STEPS_PER_TURN},
        numbers={"minutes": arguments.minutes, **numbers},
    )
    print(f"Written to {path}")


def _run(arguments: argparse.Namespace, command: str) -> bool:
    """Train and evaluate one model; False if the training stopped early. Raises BadInput for errors of the user."""
    torch.set_num_threads(1)
    name = f"{arguments.family}_{arguments.variant}_{arguments.seed}"
    result, out = arguments.results / f"{name}.json", arguments.out / name
    if result.exists():
        print(f"{result} exists; remove it to evaluate the model again.")
        return True
    if hwm(["train", *_training(arguments, out)]) != 0:
        return False
    print(f"Evaluating {name} on {arguments.episodes} new simulated episodes.")
    world_model = WorldModel.load(out / "checkpoint")
    episodes, _ = held_out(
        range(FIRST_SEED["held_out"], FIRST_SEED["held_out"] + arguments.episodes), world_model.preprocessing
    )
    lengths = (world_model.past_frames, world_model.future_frames)
    windows = EvaluationWindows(episodes, world_model.manifest, *lengths, arguments.stride)
    identity = {"variant": arguments.variant, "seed": arguments.seed}
    numbers = {**identity, **evaluated(world_model, windows, HORIZONS)}
    write_result(result, command=command, n=sample_counts(windows), numbers=numbers)
    print(f"Written to {result}")
    return True


def _training(arguments: argparse.Namespace, out: Path) -> list[str]:
    """Arguments of `hwm train`. A resumed run keeps the recipe it was started with."""
    folders = ["--data", str(arguments.data), "--tokenizer", str(arguments.tokenizer), "--out", str(out)]
    if (out / "state.pt").exists():
        return [*folders, "--resume"]
    path = arguments.results / THROUGHPUT
    if (throughput := read_throughput(path)) is None:
        raise BadConfig(
            str(path),
            expected="the training steps of each model in the same time",
            got="no file",
            remedy="Measure it: python -m benchmarks.tiny.comparison throughput.",
        )
    model = overrides_for(arguments.family, arguments.variant, arguments.data, arguments.set)
    budget = [
        f"train.steps={throughput.steps(arguments.family, arguments.variant)}",
        "train.evaluate_every=1000000",  # evaluate at the end only
        f"train.seed={arguments.seed}",
    ]
    return [*folders, "--preset", PRESETS[arguments.family], *model, *budget]


if __name__ == "__main__":
    sys.exit(main())
