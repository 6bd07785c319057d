"""Train a world model over a frozen tokenizer, on an episode store or on what `training.tokenise_data` made of it.

    python -m training.train --preset tiny --data store --tokenizer runs/tokenizer/tokenizer --out runs/tiny
    python -m training.train --preset tiny --data tokens --tokenizer runs/tokenizer/tokenizer --out runs/tiny
    python -m training.train --preset mine.yaml --data world_model_tokenized_data --out runs/1x      tokens of 1X
    python -m training.train --preset tiny --data store --tokenizer ... --init runs/tiny/checkpoint --out runs/tuned

writes runs/tiny/checkpoint, which everything else takes.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from hwm_core.models.network import WorldModelNetwork
from hwm_core.tokenizers.decoder_sensitivity import channel_sensitivity
from hwm_core.train.samples import predicted_samples
from hwm_core.train.tasks import WorldModelTask, codes_of, unit
from hwm_core.train.trainer import Trainer
from hwm_core.train.training_data import open_training_data
from hwm_core.train.validation import evaluate_model, fixed_batches
from hwm_core.world_model.checkpoint import Checkpoint, load_checkpoint, load_tokenizer, save_checkpoint
from hwm_core.world_model.registry import build_model
from training.initial import begin_with
from training.session import command, open_run, revision, run, same_data, watch


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    meaning = (
        "folder that training.train_tokenizer wrote, or a Cosmos download; of tokens made elsewhere it may be left out"
    )
    init = "checkpoint whose weights to begin with: to fine-tune, or for a second stage of training"
    return command(__doc__, train, arguments, optional=("tokenizer", "init"), tokenizer=meaning, init=init)


def train(arguments: argparse.Namespace) -> bool:
    """Whether the run has spent its budget. Raises BadInput for whatever the user can put right."""
    recipe = open_run(arguments)
    tokenizer = load_tokenizer(arguments.tokenizer, arguments.device) if arguments.tokenizer else None
    material = open_training_data(arguments.data, recipe, tokenizer)
    same_data(arguments, material.identity())
    if tokenizer is not None and tokenizer.needs_statistics:
        measured = fixed_batches(material.windows, recipe.data.validation_windows)
        tokenizer.fit_statistics(unit(batch.frames.to(arguments.device)) for batch in measured)
    torch.manual_seed(recipe.train.seed)  # draws the initial weights
    model = build_model(recipe.family, material.config.plain())
    if arguments.init is not None and not arguments.resume:
        begin_with(model, load_checkpoint(arguments.init), material, where=f"--init {arguments.init}")
    if tokenizer is not None and model.needs_channel_weights:
        few = fixed_batches(material.windows, 16)[0].to(arguments.device)
        draws = torch.Generator(arguments.device).manual_seed(0)
        model.set_channel_weights(channel_sensitivity(tokenizer, codes_of(few, tokenizer), draws))
    task = WorldModelTask(model, tokenizer, recipe.data.augmentation)
    made_by = {"revision": revision(), "recipe": recipe.plain(), "tokenizer_spec": material.codes.plain()}
    with watch(arguments) as reporter:
        trainer = Trainer(task, recipe.train, ranks=arguments.ranks, reporter=reporter)

        def export(result: Any) -> None:
            checkpoint = Checkpoint(
                name=arguments.out.name,
                family=recipe.family,
                model=result,
                tokenizer=tokenizer,
                manifest=material.manifest,
                preprocessing=material.preprocessing,
                metadata={"steps": trainer.step, **made_by},
            )
            save_checkpoint(arguments.out / "checkpoint", checkpoint)

        def evaluate(model: WorldModelNetwork) -> Mapping[str, float]:
            if tokenizer is not None:
                reporter.show(trainer.step, "predicted", predicted_samples(model, tokenizer, material.held_out[0]))
            return evaluate_model(model, tokenizer, material.held_out)

        return run(trainer, material.windows, arguments, evaluate=evaluate, export=export)


if __name__ == "__main__":
    sys.exit(main())
