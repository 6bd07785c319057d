"""Train a world model over a frozen tokenizer, on an episode store or on tokens of `hwm tokenize`."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch

from hwm_core.models.network import WorldModelNetwork
from hwm_core.tokenizers.decoder_sensitivity import channel_sensitivity
from hwm_core.train.previews import prediction_previews
from hwm_core.train.tasks import WorldModelTask, codes_of, unit
from hwm_core.train.trainer import Trainer
from hwm_core.train.training_data import open_training_data
from hwm_core.train.validation import evaluate_model, fixed_batches
from hwm_core.world_model.checkpoint import Checkpoint, load_checkpoint, load_tokenizer, save_checkpoint
from hwm_core.world_model.registry import build_model, family

from .environment import revision
from .initial_weights import load_initial_weights
from .pretrained_base import open_base
from .run import Run
from .screen import reporter_of
from .training_loop import train_run


def train(
    run: Run, data_path: Path, tokenizer_path: Path | None, init: Path | None, pipeline: Path | None = None
) -> bool:
    """Returns whether the budget is spent. Raises BadInput for errors that the user can correct.

    Args:
        pipeline: folder of a pretrained network, for families that have one.
    """
    fresh = init is None and not run.resume
    base = open_base(run, pipeline, fresh=fresh) if family(run.recipe.family).pretrained or pipeline else None
    run = run if base is None else replace(run, recipe=base.recipe)
    recipe, device = run.recipe, run.device
    tokenizer = load_tokenizer(tokenizer_path, device) if tokenizer_path else None
    data = open_training_data(data_path, recipe, tokenizer)
    run.require_same_data(data.identity())
    if tokenizer is not None and tokenizer.needs_statistics:
        measured = fixed_batches(data.windows, recipe.data.validation_windows)
        tokenizer.fit_statistics(unit(batch.frames.to(device)) for batch in measured)
    torch.manual_seed(recipe.train.seed)  # of the initial weights
    model = build_model(recipe.family, data.config.plain(), None if base is None else base.folder, device)
    if base is not None:
        base.prepare(model, recipe, run.ranks)
    if init is not None and not run.resume:
        load_initial_weights(model, load_checkpoint(init), data, where=f"--init {init}")
    if tokenizer is not None and model.needs_channel_weights:
        batch = fixed_batches(data.windows, 16)[0].to(device)
        generator = torch.Generator(device).manual_seed(0)
        model.set_channel_weights(channel_sensitivity(tokenizer, codes_of(batch, tokenizer), generator))
    task = WorldModelTask(model, tokenizer, recipe.data.augmentation)
    origin = {"revision": revision(), "recipe": recipe.plain(), "tokenizer_spec": data.tokenizer_spec.plain()}
    with reporter_of(run) as reporter:
        trainer = Trainer(task, recipe.train, ranks=run.ranks, reporter=reporter)

        def export(trained: WorldModelNetwork) -> None:
            checkpoint = Checkpoint(
                name=run.folder.name,
                family=recipe.family,
                model=trained,
                tokenizer=tokenizer,
                manifest=data.manifest,
                preprocessing=data.preprocessing,
                metadata={"steps": trainer.step, **origin},
                weights=recipe.train.checkpoint_weights,
            )
            save_checkpoint(run.folder / "checkpoint", checkpoint)

        def evaluate(model: WorldModelNetwork) -> Mapping[str, float]:
            if tokenizer is not None:
                reporter.show_previews(
                    trainer.step, "predicted", prediction_previews(model, tokenizer, data.held_out[0])
                )
            return evaluate_model(model, tokenizer, data.held_out)

        return train_run(run, trainer, data.windows, data.identity(), evaluate=evaluate, export=export)
