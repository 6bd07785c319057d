"""The training tasks: modules with their losses on batches of windows."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from hwm_core.clips import num_latents
from hwm_core.data.batches import FrameBatch, TokenBatch
from hwm_core.data.episodes.augment import Augmentation
from hwm_core.models.network import WorldModelNetwork
from hwm_core.tokenizers import VideoTokenizer
from hwm_core.tokenizers.autoencoder import CausalAutoencoder


def unit(frames: Tensor) -> Tensor:
    """Frames uint8 -> float32 in [0, 1]."""
    return frames.float() / 255.0


def codes_of(batch: FrameBatch | TokenBatch, tokenizer: VideoTokenizer | None) -> Tensor:
    """Codes [B, T, h, w(, C)] of the windows. The tokenizer may be None for a TokenBatch."""
    return batch.tokens if isinstance(batch, TokenBatch) else _encode(tokenizer, unit(batch.frames))


class TokenizerTask:
    """Trains a tokenizer to reconstruct the frames of a window."""

    def __init__(self, tokenizer: VideoTokenizer) -> None:
        self.module: nn.Module = tokenizer
        self._tokenizer = tokenizer

    def loss(self, batch: FrameBatch, generator: torch.Generator) -> tuple[Tensor, Mapping[str, Tensor]]:
        return self.module.loss(unit(batch.frames), generator)

    def tokens(self, batch: FrameBatch) -> int:
        return _count_tokens(self._tokenizer, batch.frames)


class DecoderTask:
    """Fine-tunes a tokenizer's decoder on the mean latents that a world model predicts.

    Mean latents lie between the codes, so the decoder was not trained on them. Half of the loss keeps its quality on
    the codes. The encoder is frozen, so all codes stay the same.
    """

    def __init__(self, tokenizer: CausalAutoencoder, model: WorldModelNetwork) -> None:
        tokenizer.requires_grad_(False)
        self.module: nn.Module = tokenizer
        self._tokenizer, self._model = tokenizer, model
        for part in tokenizer.decoder_parts:
            part.requires_grad_(True)

    def loss(self, batch: FrameBatch, generator: torch.Generator) -> tuple[Tensor, Mapping[str, Tensor]]:
        frames, tokenizer = unit(batch.frames), self._tokenizer
        with torch.no_grad():
            codes = tokenizer.encode(frames)
            latents = tokenizer.embed(codes)
            predicted = self._model.mean_prediction(codes, batch.actions, generator)
        past = latents[:, : latents.shape[1] - predicted.shape[1]]
        loss_codes, of_codes = tokenizer.reconstruction_loss(latents, frames)
        loss_predicted, of_predicted = tokenizer.reconstruction_loss(torch.cat([past, predicted], dim=1), frames)
        metrics = {"mse_codes": of_codes["mse"], "mse_predicted": of_predicted["mse"]}
        return 0.5 * (loss_codes + loss_predicted), metrics

    def tokens(self, batch: FrameBatch) -> int:
        return _count_tokens(self._tokenizer, batch.frames)


class WorldModelTask:
    """Trains a world model to predict codes, over a frozen tokenizer or on tokenised windows.

    Args:
        tokenizer: encodes the (augmented) frames; may be None where every batch is a TokenBatch.
    """

    def __init__(self, model: WorldModelNetwork, tokenizer: VideoTokenizer | None, augmentation: Augmentation) -> None:
        self.module: nn.Module = model
        self._model, self._tokenizer, self._augmentation = model, tokenizer, augmentation

    def loss(self, batch: FrameBatch | TokenBatch, generator: torch.Generator) -> tuple[Tensor, Mapping[str, Tensor]]:
        if isinstance(batch, TokenBatch):
            codes = batch.tokens
        else:
            codes = _encode(self._tokenizer, self._augmentation.frames(unit(batch.frames), generator))
        return self._model.loss(codes, self._augmentation.actions(batch.actions, generator), generator)

    def tokens(self, batch: FrameBatch | TokenBatch) -> int:
        config = self._model.config
        return len(batch) * config.num_latents * math.prod(config.sites)


def _encode(tokenizer: VideoTokenizer | None, frames: Tensor) -> Tensor:
    assert tokenizer is not None, "batches of frames need a tokenizer"
    return tokenizer.encode(frames)


def _count_tokens(tokenizer: VideoTokenizer, frames: Tensor) -> int:
    """The number of codes of frames [B, F, 3, H, W]."""
    sites = math.prod(size // tokenizer.spatial_factor for size in frames.shape[-2:])
    return len(frames) * num_latents(frames.shape[1], tokenizer.temporal_factor) * sites
