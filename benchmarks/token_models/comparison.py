r"""Compare an ST-Transformer with a masked model on tokens in 1X's layout, at equal parameters and training time.

    python -m benchmarks.token_models.comparison run st_transformer --data store --tokenizer runs/tokenizer/tokenizer \
      --out runs/token_models
    python -m benchmarks.token_models.comparison table

`run` tokenises the store in 1X's layout (once for each tokenizer), trains one model for --minutes of processor time and
predicts the next clip of every held-out pair of clips. It writes
benchmarks/results/token_models/<robot>_<family>_<seed>.json. The same command resumes an interrupted run.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from benchmarks.record import RESULTS, command_line, write_result
from benchmarks.token_models.recipes import MODELS, recipe_of
from benchmarks.token_models.scores import scores_by_episode
from benchmarks.token_models.table import report
from hwm_core.challenge.grid_samples import open_samples
from hwm_core.data.tokens.store import open_token_store
from hwm_core.errors import BadInput
from hwm_core.train.recipe import write_recipe
from hwm_core.world_model.checkpoint import load_checkpoint
from training.main import main as hwm


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line. Exit status 0: done; 1: stopped before the end, can be resumed; 2: bad input."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--results", type=Path, default=RESULTS / "token_models", help="folder of the results (%(default)s)"
    )
    actions = parser.add_subparsers(dest="action", required=True)
    actions.add_parser("table", help="print the table of all results")
    run = actions.add_parser("run", help="train and evaluate one model, or resume it")
    run.add_argument("family", choices=MODELS, help="model family")
    run.add_argument("--seed", type=int, default=0, help="seed of the training (%(default)s)")
    run.add_argument("--data", type=Path, required=True, help="an episode store")
    run.add_argument("--tokenizer", type=Path, required=True, help="folder of a trained discrete tokenizer")
    run.add_argument("--out", type=Path, required=True, help="folder for tokens and all runs")
    run.add_argument(
        "--actions", choices=("states", "commands"), default="states", help="kind of actions (%(default)s)"
    )
    run.add_argument("--minutes", type=float, default=8.0, help="processor time of the training (%(default)s)")
    run.add_argument("--limit", type=int, help="maximum number of evaluated samples, spread evenly (default: all)")
    run.add_argument("--set", nargs="*", default=[], metavar="section.key=value", help="overrides for both models")
    parsed = parser.parse_args(words)
    try:
        if parsed.action == "table":
            print(report(parsed.results))
            return 0
        return 0 if _run(parsed, command_line("benchmarks.token_models.comparison", words)) else 1
    except BadInput as error:
        parser.error(str(error))


def _run(arguments: argparse.Namespace, command: str) -> bool:
    """Train and evaluate one model; False if a step stopped early. Raises BadInput for errors of the user."""
    torch.set_num_threads(1)
    tokens = arguments.out / f"tokens_{arguments.data.name}"
    if hwm(["tokenize", str(arguments.data), "--tokenizer", str(arguments.tokenizer), "--out", str(tokens)]) != 0:
        return False
    data = open_token_store(tokens)
    manifest, size = data.manifests[arguments.actions], (data.preprocessing.height, data.preprocessing.width)
    name = f"{manifest.robot}_{arguments.family}_{arguments.seed}"
    result, out = arguments.results / f"{name}.json", arguments.out / name
    if result.exists():
        print(f"{result} exists; remove it to evaluate the model again.")
        return True
    own = [
        f"data.actions={arguments.actions}",
        f"train.max_minutes={arguments.minutes}",
        f"train.seed={arguments.seed}",
    ]
    recipe = recipe_of(arguments.family, data.tokenizer, size, manifest.dim, [*arguments.set, *own])
    words = ["train", "--data", str(tokens), "--tokenizer", str(arguments.tokenizer), "--out", str(out)]
    if (out / "state.pt").exists():
        words.append("--resume")
    else:
        preset = arguments.out / f"{name}.yaml"
        write_recipe(preset, recipe)
        words += ["--preset", str(preset)]
    if hwm(words) != 0:
        return False
    checkpoint = load_checkpoint(out / "checkpoint")
    samples = open_samples(tokens / "validation", checkpoint, arguments.limit)
    print(f"Evaluating {name} on {len(samples)} samples.")
    scores = scores_by_episode(checkpoint, samples)
    numbers = {
        "robot": manifest.robot,
        "family": arguments.family,
        "seed": arguments.seed,
        "minutes": arguments.minutes,
        "steps": checkpoint.metadata["steps"],
        "parameters": sum(parameter.numel() for parameter in checkpoint.model.parameters()),
        "codes": data.tokenizer.vocabulary,
        "scores": scores,
        "revision": checkpoint.metadata["revision"],
        "recipe": checkpoint.metadata["recipe"],
    }
    n = {"episodes": len(scores["greedy"]), "samples": len(samples), "tokens_per_sample": int(samples[0].past.size)}
    write_result(result, command=command, n=n, numbers=numbers)
    print(f"Written to {result}")
    return True


if __name__ == "__main__":
    sys.exit(main())
