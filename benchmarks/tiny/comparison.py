"""Tiny masked against tiny flow at equal parameters, data and time: their pace, one run, or the table of all.

    python -m benchmarks.tiny.comparison pace --data store --masked tokenizer --flow flow_tokenizer
    python -m benchmarks.tiny.comparison run masked split --data store --tokenizer tokenizer --out runs/comparison
    python -m benchmarks.tiny.comparison table

`pace` measures all eight side by side, and with that how many steps each makes in the same time. `run` trains
one model for these steps, on whatever machine, judges it on fresh simulated episodes and writes
benchmarks/results/tiny/<family>_<variant>_<seed>.json. Stopped, it goes on by the same command.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

import torch

from benchmarks.model_result import counted, evaluated
from benchmarks.record import RESULTS, command_line, write_result
from benchmarks.tiny.equal_size import PRESETS, overrides_for
from benchmarks.tiny.runs import PACE
from benchmarks.tiny.table import report
from benchmarks.tiny.throughput import IN_TURN, measure, read_pace
from hwm_core.errors import BadConfig, BadInput
from hwm_core.evaluation.simulated import FIRST_SEED, held_out
from hwm_core.evaluation.windows import EvaluationWindows
from hwm_core.models.config import Variant
from hwm_core.world_model.model import WorldModel
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
    one.add_argument("--tokenizer", type=Path, required=True, help="folder that training.train_tokenizer wrote")
    one.add_argument("--out", type=Path, required=True, help="folder of the runs; each gets a folder in it")
    one.add_argument("--episodes", type=int, default=16, help="held-out episodes that are simulated (%(default)s)")
    one.add_argument("--stride", type=int, default=40, help="frames between windows that are judged (%(default)s)")
    pace = actions.add_parser("pace", help="measure how fast all eight models are, side by side")
    pace.add_argument("--masked", type=Path, required=True, help="the masked models' tokenizer")
    pace.add_argument("--flow", type=Path, required=True, help="the flow models' tokenizer")
    pace.add_argument("--minutes", type=float, default=26.0, help="of processor time on one core (%(default)s)")
    pace.add_argument("--rounds", type=int, default=5, help="in which each takes its turn (%(default)s)")
    for parser_of in (one, pace):
        parser_of.add_argument("--data", type=Path, required=True, help="an episode store of the simulated humanoid")
        parser_of.add_argument(
            "--set", nargs="*", default=[], metavar="section.key=value", help="changes to both presets"
        )
    parsed = parser.parse_args(words)
    try:
        if parsed.action == "table":
            print(report(parsed.results))
            return 0
        command = command_line("benchmarks.tiny.comparison", words)
        if parsed.action == "pace":
            _pace(parsed, command)
            return 0
        return 0 if _run(parsed, command) else 1
    except BadInput as error:
        parser.error(str(error))


def _pace(arguments: argparse.Namespace, command: str) -> None:
    torch.set_num_threads(1)
    tokenizers = {"masked": arguments.masked, "flow": arguments.flow}
    figures = measure(arguments.data, tokenizers, arguments.rounds, arguments.set)
    path = arguments.results / PACE
    write_result(
        path,
        command=command,
        n={"rounds": arguments.rounds, "steps_in_turn": IN_TURN},
        figures={"minutes": arguments.minutes, **figures},
    )
    print(f"Written to {path}")


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
    row = {"variant": arguments.variant, "seed": arguments.seed}
    figures = {**row, **evaluated(world_model, windows, HORIZONS)}
    write_result(result, command=command, n=counted(windows), figures=figures)
    print(f"Written to {result}")
    return True


def _training(arguments: argparse.Namespace, out: Path) -> list[str]:
    """Arguments of training.train; a run that has begun goes on by its own recipe."""
    folders = ["--data", str(arguments.data), "--tokenizer", str(arguments.tokenizer), "--out", str(out)]
    if (out / "state.pt").exists():
        return [*folders, "--resume"]
    path = arguments.results / PACE
    if (pace := read_pace(path)) is None:
        raise BadConfig(
            str(path),
            expected="how many steps a model makes in the time given",
            got="nothing",
            remedy="Measure it: python -m benchmarks.tiny.comparison pace.",
        )
    row = overrides_for(arguments.family, arguments.variant, arguments.data, arguments.set)
    budget = [
        f"train.steps={pace.steps(arguments.family, arguments.variant)}",
        "train.evaluate_every=1000000",  # at the end, when the budget is spent
        f"train.seed={arguments.seed}",
    ]
    return [*folders, "--preset", PRESETS[arguments.family], *row, *budget]


if __name__ == "__main__":
    sys.exit(main())
