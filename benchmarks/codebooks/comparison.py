"""Compare codebook sizes: which size gives the best prediction?

    python -m benchmarks.codebooks.comparison run 1024 --data store --out runs/codebooks
    python -m benchmarks.codebooks.comparison table

A large codebook reconstructs better; a small one is easier to predict. `run` trains a tokenizer and a tiny masked model
for one size, with the same number of steps for every size. It evaluates the predicted frames against the camera frames
of the store's validation episodes and writes benchmarks/results/codebooks/<robot>_<size>.json. The same command resumes
an interrupted run.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from benchmarks.codebooks.table import report
from benchmarks.model_result import evaluated, sample_counts
from benchmarks.record import RESULTS, command_line, write_result
from hwm_core.data.episodes.store import open_store
from hwm_core.errors import BadInput
from hwm_core.evaluation.windows import EvaluationWindows
from hwm_core.world_model.model import WorldModel
from training.main import main as hwm

PRESET = "tiny"
LEVELS: Mapping[int, tuple[int, ...]] = {
    2**8: (8, 6, 5),
    2**10: (8, 5, 5, 5),
    2**12: (7, 5, 5, 5, 5),
    2**16: (8, 8, 8, 5, 5, 5),
}
"""FSQ levels by approximate codebook size (Mentzer et al. 2023, arXiv 2309.15505, table 1); the last are Cosmos's."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line. Exit status 0: done; 1: stopped before the end, can be resumed; 2: bad input."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--results", type=Path, default=RESULTS / "codebooks", help="folder of the results (%(default)s)"
    )
    actions = parser.add_subparsers(dest="action", required=True)
    actions.add_parser("table", help="print the table of all results")
    run = actions.add_parser("run", help="train and evaluate one codebook size, or resume it")
    run.add_argument("codes", type=int, choices=LEVELS, help="approximate size; the levels give the exact number")
    run.add_argument("--data", type=Path, required=True, help="an episode store")
    run.add_argument("--out", type=Path, required=True, help="folder for all runs; each run gets a folder in it")
    run.add_argument("--tokenizer-steps", type=int, default=1500, help="training steps of the tokenizer (%(default)s)")
    run.add_argument("--steps", type=int, default=1000, help="training steps of the model (%(default)s)")
    run.add_argument("--horizons", type=int, nargs="+", default=[8, 16, 24], help="frames ahead (8 16 24)")
    run.add_argument("--stride", type=int, default=20, help="frames between evaluated windows (%(default)s)")
    run.add_argument("--set", nargs="*", default=[], metavar="section.key=value", help="overrides for the preset")
    parsed = parser.parse_args(words)
    try:
        if parsed.action == "table":
            print(report(parsed.results))
            return 0
        return 0 if _run(parsed, command_line("benchmarks.codebooks.comparison", words)) else 1
    except BadInput as error:
        parser.error(str(error))


def _run(arguments: argparse.Namespace, command: str) -> bool:
    """Train and evaluate one size; False if a training stopped early. Raises BadInput for errors of the user."""
    torch.set_num_threads(1)
    store, levels = open_store(arguments.data), LEVELS[arguments.codes]
    robot = next(iter(store.manifests.values())).robot
    result, out = arguments.results / f"{robot}_{arguments.codes}.json", arguments.out / f"{robot}_{arguments.codes}"
    if result.exists():
        print(f"{result} exists; remove it to evaluate the model again.")
        return True
    data = ["--data", str(arguments.data)]
    changes = [*arguments.set, f"tokenizer.levels={list(levels)}"]
    tokenizer = [*changes, f"train_tokenizer.steps={arguments.tokenizer_steps}"]
    if not _trained("train-tokenizer", data, out / "tokenizer", tokenizer):
        return False
    data += ["--tokenizer", str(out / "tokenizer" / "tokenizer")]
    if not _trained("train", data, out / "model", [*changes, f"train.steps={arguments.steps}"]):
        return False
    world_model = WorldModel.load(out / "model" / "checkpoint")
    lengths = (world_model.past_frames, world_model.future_frames)
    windows = EvaluationWindows(store.validation, world_model.manifest, *lengths, arguments.stride)
    print(f"Evaluating {out.name} on {len(windows)} windows.")
    identity = {"robot": robot, "levels": list(levels), "tokenizer_steps": arguments.tokenizer_steps}
    numbers = {**identity, **evaluated(world_model, windows, arguments.horizons)}
    write_result(result, command=command, n=sample_counts(windows), numbers=numbers)
    print(f"Written to {result}")
    return True


def _trained(command: str, data: Sequence[str], out: Path, changes: Sequence[str]) -> bool:
    """Train or resume; whether the training reached its end. A resumed run keeps the recipe it was started with."""
    started = (out / "state.pt").exists()
    return hwm([command, *data, "--out", str(out), *(["--resume"] if started else ["--preset", PRESET, *changes])]) == 0


if __name__ == "__main__":
    sys.exit(main())
