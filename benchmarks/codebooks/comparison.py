"""How many codes a transformer predicts best: one tokenizer and one tiny masked model for each size of codebook.

    python -m benchmarks.codebooks.comparison run 1024 --data store --out runs/codebooks
    python -m benchmarks.codebooks.comparison table

Many codes rebuild better, few are easier to predict; what counts is the picture that was predicted. Every size gets the
same steps, of tokenizer and of model, and is judged on the store's validation episodes against raw frames. Writes
benchmarks/results/codebooks/<robot>_<size>.json. Stopped, a run goes on by the same command.
"""

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch

from benchmarks.codebooks.table import report
from benchmarks.model_result import counted, evaluated
from benchmarks.record import RESULTS, command_line, write_result
from hwm_core.data.episodes.store import open_store
from hwm_core.errors import BadInput
from hwm_core.evaluation.windows import EvaluationWindows
from hwm_core.world_model.model import WorldModel
from training import train, train_tokenizer

PRESET = "tiny"
LEVELS: Mapping[int, tuple[int, ...]] = {
    2**8: (8, 6, 5),
    2**10: (8, 5, 5, 5),
    2**12: (7, 5, 5, 5, 5),
    2**16: (8, 8, 8, 5, 5, 5),
}
"""FSQ levels for about so many codes (Mentzer et al. 2023, arXiv 2309.15505, table 1); the last are Cosmos's."""


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; exit status 0: done; 1: stopped before, to be resumed; 2: bad input."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=RESULTS / "codebooks", help="folder of results (%(default)s)")
    actions = parser.add_subparsers(dest="action", required=True)
    actions.add_parser("table", help="print the table of what was run")
    one = actions.add_parser("run", help="train and judge one size of codebook, or go on with it")
    one.add_argument("codes", type=int, choices=LEVELS, help="about so many; the exact number follows from the levels")
    one.add_argument("--data", type=Path, required=True, help="an episode store")
    one.add_argument("--out", type=Path, required=True, help="folder of the runs; each gets a folder in it")
    one.add_argument("--tokenizer-steps", type=int, default=1500, help="(%(default)s)")
    one.add_argument("--steps", type=int, default=1000, help="of the model (%(default)s)")
    one.add_argument("--horizons", type=int, nargs="+", default=[8, 16, 24], help="frames ahead (8 16 24)")
    one.add_argument("--stride", type=int, default=20, help="frames between windows that are judged (%(default)s)")
    one.add_argument("--set", nargs="*", default=[], metavar="section.key=value", help="changes to the preset")
    parsed = parser.parse_args(words)
    try:
        if parsed.action == "table":
            print(report(parsed.results))
            return 0
        return 0 if _run(parsed, command_line("benchmarks.codebooks.comparison", words)) else 1
    except BadInput as error:
        parser.error(str(error))


def _run(arguments: argparse.Namespace, command: str) -> bool:
    """Whether the result is there. Raises BadInput for whatever the user can put right."""
    torch.set_num_threads(1)
    store, levels = open_store(arguments.data), LEVELS[arguments.codes]
    robot = next(iter(store.manifests.values())).robot
    result, out = arguments.results / f"{robot}_{arguments.codes}.json", arguments.out / f"{robot}_{arguments.codes}"
    if result.exists():
        print(f"{result} is there already; remove it to judge again.")
        return True
    data = ["--data", str(arguments.data)]
    changes = [*arguments.set, f"tokenizer.levels={list(levels)}"]
    tokenizer = [*changes, f"train_tokenizer.steps={arguments.tokenizer_steps}"]
    if not _trained(train_tokenizer.main, data, out / "tokenizer", tokenizer):
        return False
    data += ["--tokenizer", str(out / "tokenizer" / "tokenizer")]
    if not _trained(train.main, data, out / "model", [*changes, f"train.steps={arguments.steps}"]):
        return False
    world_model = WorldModel.load(out / "model" / "checkpoint")
    lengths = (world_model.past_frames, world_model.future_frames)
    windows = EvaluationWindows(store.validation, world_model.manifest, *lengths, arguments.stride)
    print(f"Judging {out.name} on {len(windows)} windows.")
    row = {"robot": robot, "levels": list(levels), "tokenizer_steps": arguments.tokenizer_steps}
    figures = {**row, **evaluated(world_model, windows, arguments.horizons)}
    write_result(result, command=command, n=counted(windows), figures=figures)
    print(f"Written to {result}")
    return True


def _trained(command: Callable[[Sequence[str]], int], data: Sequence[str], out: Path, recipe: Sequence[str]) -> bool:
    """Train, or go on by the run's own recipe; whether its budget is spent."""
    begun = (out / "state.pt").exists()
    return command([*data, "--out", str(out), *(["--resume"] if begun else ["--preset", PRESET, *recipe])]) == 0


if __name__ == "__main__":
    sys.exit(main())
