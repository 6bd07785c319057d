"""Train a world model on an episode store, over a frozen tokenizer.

    python -m training.train --preset tiny --data store --tokenizer runs/tokenizer/tokenizer --out runs/tiny

writes runs/tiny/checkpoint, which everything else takes.
"""

import argparse
import sys
from collections.abc import Sequence
from typing import Any

import torch

from hwm_core.checkpoint import Checkpoint, load_tokenizer, save_checkpoint
from hwm_core.data.store import open_store
from hwm_core.data.windows import Windows
from hwm_core.errors import BadConfig
from hwm_core.families import build_model
from hwm_core.train.trainees import WorldModelTrainee, unit
from hwm_core.train.trainer import Trainer
from hwm_core.train.validation import evaluate_model, fixed_batches
from training.session import command, open_run, revision, run, watch


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    return command(
        __doc__, train, arguments, tokenizer="folder that training.train_tokenizer wrote, or a Cosmos download"
    )


def train(arguments: argparse.Namespace) -> bool:
    """Whether the run has spent its budget. Raises BadInput for whatever the user can put right."""
    recipe = open_run(arguments)
    store = open_store(arguments.data)
    if (manifest := store.manifests.get(recipe.data.actions)) is None:
        raise BadConfig(
            "data: key `actions`",
            expected=" or ".join(store.manifests) or "a store with a manifest",
            got=f"`{recipe.data.actions}`, which {arguments.data} lacks",
            remedy="Choose the kind that was recorded, or prepare the data again.",
        )
    tokenizer = load_tokenizer(arguments.tokenizer, arguments.device)
    frame_size = (store.preprocessing.height, store.preprocessing.width)
    config = recipe.model_config_for(tokenizer, frame_size, manifest.dim)
    lengths = (config.past_frames, config.future_frames)
    windows = Windows(store.training, manifest, *lengths, stride=recipe.data.stride)
    held_out = fixed_batches(Windows(store.validation, manifest, *lengths), recipe.data.validation_windows)
    if getattr(tokenizer, "wants_statistics", False):
        measured = fixed_batches(windows, recipe.data.validation_windows)
        tokenizer.fit_statistics(unit(batch["frames"].to(arguments.device)) for batch in measured)
    torch.manual_seed(recipe.train.seed)  # draws the initial weights
    trainee = WorldModelTrainee(build_model(recipe.family, config.plain()), tokenizer, recipe.data.augmentation)
    made_by = {"revision": revision(), "recipe": recipe.plain()}
    with watch(arguments) as reporter:
        trainer = Trainer(trainee, recipe.train, ranks=arguments.ranks, reporter=reporter)

        def export(result: Any) -> None:
            checkpoint = Checkpoint(
                name=arguments.out.name,
                family=recipe.family,
                model=result,
                tokenizer=tokenizer,
                manifest=manifest,
                preprocessing=store.preprocessing,
                metadata={"steps": trainer.step, **made_by},
            )
            save_checkpoint(arguments.out / "checkpoint", checkpoint)

        return run(
            trainer,
            windows,
            arguments,
            evaluate=lambda module: evaluate_model(module, tokenizer, held_out),
            export=export,
        )


if __name__ == "__main__":
    sys.exit(main())
