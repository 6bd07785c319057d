"""What Wan 2.2 brings along, at a laptop's size: a trained VAE, and a transformer trained on video without states."""

from collections.abc import Mapping
from pathlib import Path

import torch
from diffusers.models.autoencoders.autoencoder_kl_wan import AutoencoderKLWan
from diffusers.models.transformers.transformer_wan import WanTransformer3DModel
from torch import Tensor, nn

from benchmarks.wan.pipeline import untrained_transformer, untrained_vae, write_pipeline
from hwm_core.data.batches import FrameBatch, TokenBatch
from hwm_core.data.episodes.store import open_store
from hwm_core.data.episodes.windows import Windows
from hwm_core.models.wan import WanWorldModel
from hwm_core.models.wan_base import prompt_embedding, settings_of
from hwm_core.models.wan_config import WanConfig
from hwm_core.train.config import TrainingConfig
from hwm_core.train.recipe import Recipe
from hwm_core.train.reporter import Reporter
from hwm_core.train.tasks import unit
from hwm_core.train.trainer import Trainer
from hwm_core.train.training_data import open_training_data
from hwm_core.train.validation import fixed_batches
from hwm_core.world_model.checkpoint import load_tokenizer

CHANNELS, CLIP = 12, 5  # latent channels; frames of a clip of the VAE's training


class VaeTask:
    """A VAE with MSE + 0.1 L1, as hwm's own tokenizers, and no KL divergence."""

    def __init__(self, vae: AutoencoderKLWan) -> None:
        self.module: nn.Module = vae
        self._vae = vae

    def loss(self, batch: FrameBatch, generator: torch.Generator) -> tuple[Tensor, Mapping[str, Tensor]]:
        frames = (2 * unit(batch.frames) - 1).transpose(1, 2)
        error = self._vae.decode(self._vae.encode(frames).latent_dist.mode()).sample - frames
        mse = error.square().mean() / 4  # of frames in [0, 1]
        return mse + 0.05 * error.abs().mean(), {"mse": mse.detach()}

    def tokens(self, batch: FrameBatch) -> int:
        return batch.frames[..., 0, :, :].numel() // 64


class VideoTask:
    """A Wan model on latents; the states have no effect, because their modulation stays zero."""

    def __init__(self, model: WanWorldModel) -> None:
        self.module: nn.Module = model
        self._model = model

    def loss(self, batch: TokenBatch, generator: torch.Generator) -> tuple[Tensor, Mapping[str, Tensor]]:
        return self._model.loss(batch.tokens, batch.actions, generator)

    def tokens(self, batch: TokenBatch) -> int:
        return batch.tokens[..., 0].numel()


def settings(minutes: float, batch: int, rate: float, seed: int) -> TrainingConfig:
    """AdamW for a number of processor minutes."""
    return TrainingConfig(
        max_minutes=minutes,
        clock="processor",
        batch_size=batch,
        learning_rate=rate,
        schedule="cosine",
        warmup_steps=20,
        weight_decay=0.01,
        precision="float32",
        seed=seed,
    )


def train_vae(store: Path, pipeline: Path, minutes: float, seed: int, reporter: Reporter) -> int:
    """Train a VAE on a store's frames, and write a pipeline with it and with untrained networks; returns the steps."""
    torch.manual_seed(seed)
    vae, windows = untrained_vae(CHANNELS), Windows(open_store(store).training, None, 1, CLIP - 1, stride=1)
    trainer = Trainer(VaeTask(vae), settings(minutes, 4, 2e-3, seed), reporter=reporter)
    trainer.fit(windows)
    vae.eval()
    with torch.no_grad():
        frames = [(2 * unit(batch.frames) - 1).transpose(1, 2) for batch in fixed_batches(windows, 128)]
        latents = torch.cat([vae.encode(part).latent_dist.mode().movedim(1, -1).flatten(0, -2) for part in frames])
    std, mean = torch.std_mean(latents, dim=0)
    vae.register_to_config(latents_mean=mean.tolist(), latents_std=std.clamp_min(1e-6).tolist())
    write_pipeline(pipeline, untrained_transformer(CHANNELS), vae)
    return trainer.step


def train_base(tokens: Path, pipeline: Path, recipe: Recipe, minutes: float, seed: int, reporter: Reporter) -> int:
    """Train all weights of the pipeline's transformer on video without states, and replace it; returns the steps."""
    folder = pipeline / "transformer"
    data = open_training_data(tokens, recipe.over_base(settings_of(folder)), load_tokenizer(pipeline / "vae"))
    config = WanConfig.parse({**data.config.plain(), "lora_rank": 0, "base_sha256": {}})
    torch.manual_seed(seed)
    model = WanWorldModel(config)
    model.prompt.copy_(prompt_embedding(pipeline, config.text_length))
    model.transformer.requires_grad_(True)
    model.state_encoder.requires_grad_(False)
    trainer = Trainer(VideoTask(model), settings(minutes, 8, 2e-3, seed), reporter=reporter)
    trainer.fit(data.windows)
    trained: WanTransformer3DModel = model.transformer
    trained.save_pretrained(str(folder))
    return trainer.step
