"""Train a video tokenizer on an episode store."""

from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path

import torch

from hwm_core.clips import num_frames
from hwm_core.data.episodes.store import open_store
from hwm_core.data.episodes.windows import Windows
from hwm_core.tokenizers import VideoTokenizer, build_tokenizer
from hwm_core.train.data_identity import identity_of_store
from hwm_core.train.previews import reconstruction_previews
from hwm_core.train.tasks import TokenizerTask, unit
from hwm_core.train.trainer import Trainer
from hwm_core.train.validation import evaluate_tokenizer, fixed_batches
from hwm_core.world_model.checkpoint import save_tokenizer

from .initial_weights import load_initial_tokenizer
from .run import Run
from .screen import reporter_of
from .training_loop import train_run


def train(run: Run, data: Path, init: str | Path | None) -> bool:
    """Returns whether the budget is spent. Raises BadInput for errors that the user can correct."""
    recipe, store = run.recipe, open_store(data)
    config, settings = recipe.trained_tokenizer, recipe.train_tokenizer
    assert settings is not None, "a recipe has both sections"
    size = (store.preprocessing.height, store.preprocessing.width)
    recipe.require_frame_size(size, config.spatial_factor, str(data))
    identity = identity_of_store(store)
    run.require_same_data(identity)
    frames = num_frames(recipe.num_latents, config.temporal_factor)
    windows = Windows(store.training, None, 1, frames - 1, stride=recipe.data.stride)
    held_out = fixed_batches(Windows(store.validation, None, 1, frames - 1), recipe.data.validation_windows)
    measured = fixed_batches(windows, recipe.data.validation_windows)  # for the statistics of continuous latents
    torch.manual_seed(settings.seed)  # of the initial weights
    tokenizer = build_tokenizer(config)
    if init and not run.resume:
        load_initial_tokenizer(tokenizer, init)
    with reporter_of(run) as reporter:
        trainer = Trainer(TokenizerTask(tokenizer), settings, ranks=run.ranks, reporter=reporter)

        def export(trained: VideoTokenizer) -> None:
            exported = deepcopy(trained)  # the trained module stays without statistics
            if exported.codes == "continuous":
                exported.eval().fit_statistics(unit(batch.frames.to(run.device)) for batch in measured)
            save_tokenizer(run.folder / "tokenizer", exported)

        def evaluate(trained: VideoTokenizer) -> Mapping[str, float]:
            reporter.show_previews(trainer.step, "reconstructed", reconstruction_previews(trained, held_out[0]))
            return evaluate_tokenizer(trained, held_out)

        return train_run(run, trainer, windows, identity, evaluate=evaluate, export=export)
