"""Fine-tune a checkpoint's decoder on the mean latents that its world model predicts. All tokens stay the same."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch

from hwm_core.data.episodes.store import open_store, require_preprocessing
from hwm_core.data.episodes.windows import Windows
from hwm_core.errors import BadConfig
from hwm_core.tokenizers import VideoTokenizer
from hwm_core.tokenizers.autoencoder import CausalAutoencoder
from hwm_core.train.config import TrainingConfig
from hwm_core.train.data_identity import identity_of_store
from hwm_core.train.previews import prediction_previews
from hwm_core.train.tasks import DecoderTask
from hwm_core.train.trainer import Trainer
from hwm_core.train.validation import evaluate_decoder, fixed_batches
from hwm_core.world_model.checkpoint import load_checkpoint, save_checkpoint

from .run import Run
from .screen import reporter_of
from .training_loop import train_run


def tune(run: Run, data: Path, checkpoint_path: Path) -> bool:
    """Returns whether the budget is spent. Raises BadInput for errors that the user can correct."""
    recipe, settings = run.recipe, _settings(run)
    checkpoint = load_checkpoint(checkpoint_path, run.device)
    if not isinstance(checkpoint.tokenizer, CausalAutoencoder):
        raise BadConfig(
            f"{checkpoint_path}: tokenizer",
            expected="a tokenizer that hwm train-tokenizer trained",
            got="none" if checkpoint.tokenizer is None else f"`{checkpoint.tokenizer.kind}`",
            remedy="Use the checkpoint without tuning: only hwm's own decoders can be tuned.",
        )
    store, model = open_store(data), checkpoint.model
    require_preprocessing(store, checkpoint.preprocessing, data)
    identity = {"checkpoint": checkpoint.sha256, **identity_of_store(store)}
    run.require_same_data(identity)
    lengths = (model.config.past_frames, model.config.future_frames)
    windows = Windows(store.training, checkpoint.manifest, *lengths, stride=recipe.data.stride)
    held_out = fixed_batches(Windows(store.validation, checkpoint.manifest, *lengths), recipe.data.validation_windows)
    torch.manual_seed(settings.seed)
    task = DecoderTask(checkpoint.tokenizer, model)
    with reporter_of(run) as reporter:
        trainer = Trainer(task, settings, ranks=run.ranks, reporter=reporter)

        def export(tuned: VideoTokenizer) -> None:
            origin = {"decoder_steps": trainer.step, "decoder_recipe": settings.plain()}
            metadata = {**checkpoint.metadata, **origin}
            save_checkpoint(run.folder / "checkpoint", replace(checkpoint, tokenizer=tuned, metadata=metadata))

        def evaluate(tuned: VideoTokenizer) -> Mapping[str, float]:
            reporter.show_previews(trainer.step, "predicted", prediction_previews(model, tuned, held_out[0]))
            return evaluate_decoder(tuned, model, held_out)

        return train_run(run, trainer, windows, identity, evaluate=evaluate, export=export)


def _settings(run: Run) -> TrainingConfig:
    if run.recipe.tune_decoder is None:
        raise BadConfig(
            "recipe",
            expected="a section `tune_decoder`",
            got="none",
            remedy="Add the section, as in the preset tiny; its keys are the keys of `train_tokenizer`.",
        )
    return run.recipe.tune_decoder
