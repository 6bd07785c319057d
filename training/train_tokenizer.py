"""Train a video tokenizer on an episode store.

    python -m training.train_tokenizer --preset tiny --data store --out runs/tokenizer

writes runs/tokenizer/tokenizer, which training.train takes as --tokenizer.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

import torch

from hwm_core.clips import num_frames
from hwm_core.data.episodes.store import open_store
from hwm_core.data.episodes.windows import Windows
from hwm_core.tokenizers import build_tokenizer
from hwm_core.train.samples import rebuilt_samples
from hwm_core.train.tasks import TokenizerTask, unit
from hwm_core.train.trainer import Trainer
from hwm_core.train.training_data import identity_of_store
from hwm_core.train.validation import evaluate_tokenizer, fixed_batches
from hwm_core.world_model.checkpoint import save_tokenizer
from training.session import command, open_run, run, same_data, watch


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    return command(__doc__, train, arguments)


def train(arguments: argparse.Namespace) -> bool:
    """Whether the run has spent its budget. Raises BadInput for whatever the user can put right."""
    recipe = open_run(arguments)
    store = open_store(arguments.data)
    same_data(arguments, identity_of_store(store))
    frames = num_frames(recipe.num_latents, recipe.tokenizer.temporal_factor)
    windows = Windows(store.training, None, 1, frames - 1, stride=recipe.data.stride)
    held_out = fixed_batches(Windows(store.validation, None, 1, frames - 1), recipe.data.validation_windows)
    measured = fixed_batches(windows, recipe.data.validation_windows)  # for the statistics of continuous latents
    torch.manual_seed(recipe.train_tokenizer.seed)  # draws the initial weights
    tokenizer = build_tokenizer(recipe.tokenizer)
    with watch(arguments) as reporter:
        trainer = Trainer(TokenizerTask(tokenizer), recipe.train_tokenizer, ranks=arguments.ranks, reporter=reporter)

        def export(result: Any) -> None:
            made = deepcopy(result)  # training goes on without statistics
            if made.codes == "continuous":
                made.eval().fit_statistics(unit(batch.frames.to(arguments.device)) for batch in measured)
            save_tokenizer(arguments.out / "tokenizer", made)

        def evaluate(module: Any) -> Mapping[str, float]:
            reporter.show(trainer.step, "rebuilt", rebuilt_samples(module, held_out[0]))
            return evaluate_tokenizer(module, held_out)

        return run(trainer, windows, arguments, evaluate=evaluate, export=export)


if __name__ == "__main__":
    sys.exit(main())
