"""Tune the decoder of a trained checkpoint to the futures that its world model predicts. Its tokens stay the same.

    python -m training.tune_decoder --preset tiny --data store --checkpoint runs/tiny/checkpoint --out runs/tuned

writes runs/tuned/checkpoint.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch

from hwm_core.data.episodes.store import open_store, require_preprocessing
from hwm_core.data.episodes.windows import Windows
from hwm_core.errors import BadConfig
from hwm_core.tokenizers.causal import CausalAutoencoder
from hwm_core.train.samples import predicted_samples
from hwm_core.train.tasks import DecoderTask
from hwm_core.train.trainer import Trainer
from hwm_core.train.training_data import identity_of_store
from hwm_core.train.validation import evaluate_decoder, fixed_batches
from hwm_core.world_model.checkpoint import load_checkpoint, save_checkpoint
from training.session import command, open_run, run, same_data, watch


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    return command(__doc__, tune, arguments, checkpoint="folder that training.train wrote")


def tune(arguments: argparse.Namespace) -> bool:
    """Whether the run has spent its budget. Raises BadInput for whatever the user can put right."""
    recipe = open_run(arguments)
    settings = recipe.tune_decoder
    if settings is None:
        raise BadConfig(
            "recipe",
            expected="a section `tune_decoder`",
            got="none",
            remedy="Add one, as in the preset tiny; its keys are those of `train_tokenizer`.",
        )
    checkpoint = load_checkpoint(arguments.checkpoint, arguments.device)
    if not isinstance(checkpoint.tokenizer, CausalAutoencoder):
        raise BadConfig(
            f"{arguments.checkpoint}: tokenizer",
            expected="a tokenizer that was trained here",
            got="none" if checkpoint.tokenizer is None else f"`{checkpoint.tokenizer.kind}`",
            remedy="Use the checkpoint as it is: there is no decoder of ours to tune.",
        )
    store, config = open_store(arguments.data), checkpoint.model.config
    require_preprocessing(store, checkpoint.preprocessing, arguments.data)
    same_data(arguments, {"checkpoint": checkpoint.sha256, **identity_of_store(store)})
    lengths = (config.past_frames, config.future_frames)
    windows = Windows(store.training, checkpoint.manifest, *lengths, stride=recipe.data.stride)
    held_out = fixed_batches(Windows(store.validation, checkpoint.manifest, *lengths), recipe.data.validation_windows)
    torch.manual_seed(settings.seed)
    task = DecoderTask(checkpoint.tokenizer, checkpoint.model)
    with watch(arguments) as reporter:
        trainer = Trainer(task, settings, ranks=arguments.ranks, reporter=reporter)

        def export(result: Any) -> None:
            tuned = {"decoder_steps": trainer.step, "decoder_recipe": settings.plain()}
            metadata = {**checkpoint.metadata, **tuned}
            save_checkpoint(arguments.out / "checkpoint", replace(checkpoint, tokenizer=result, metadata=metadata))

        def evaluate(module: Any) -> Mapping[str, float]:
            reporter.show(trainer.step, "predicted", predicted_samples(checkpoint.model, module, held_out[0]))
            return evaluate_decoder(module, checkpoint.model, held_out)

        return run(trainer, windows, arguments, evaluate=evaluate, export=export)


if __name__ == "__main__":
    sys.exit(main())
