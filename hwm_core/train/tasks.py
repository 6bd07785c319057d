"""What the trainer trains: a module with its loss on batches of windows."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from hwm_core.data.episodes.augment import Augmentation
from hwm_core.models.network import WorldModelNetwork
from hwm_core.tokenizers import VideoTokenizer
from hwm_core.tokenizers.causal import CausalAutoencoder
from hwm_core.train.task import Batch


def unit(frames: Tensor) -> Tensor:
    """Frames uint8 -> float32 in [0, 1]."""
    return frames.float() / 255.0


def cells(tokenizer: VideoTokenizer, frames: Tensor) -> int:
    """How many codes frames [B, F, 3, H, W] have."""
    latents = 1 + (frames.shape[1] - 1) // tokenizer.temporal_factor
    return len(frames) * latents * math.prod(size // tokenizer.spatial_factor for size in frames.shape[-2:])


def codes_of(batch: Batch, tokenizer: VideoTokenizer | None, frames: Tensor | None = None) -> Tensor:
    """Codes [B, T, h, w(, C)] of a batch of windows: those it holds, or those of its frames.

    Args:
        frames: [B, F, 3, H, W] in [0, 1], in place of the batch's own.
    """
    if "tokens" in batch:
        return batch["tokens"]
    return tokenizer.encode(unit(batch["frames"]) if frames is None else frames)


class TokenizerTask:
    """A tokenizer learns to rebuild the frames of a window."""

    def __init__(self, tokenizer: VideoTokenizer) -> None:
        self.module: nn.Module = tokenizer
        self._tokenizer = tokenizer

    def loss(self, batch: Batch, generator: torch.Generator) -> tuple[Tensor, Mapping[str, Tensor]]:
        return self.module.loss(unit(batch["frames"]), generator)

    def tokens(self, batch: Batch) -> int:
        return cells(self._tokenizer, batch["frames"])


class DecoderTask:
    """The decoder of a trained tokenizer learns to paint the mean latents that a world model predicts.

    They lie between the codes, where the decoder has never been; half of the loss keeps it good at the codes. The
    encoder stays as it is, and with it every code.
    """

    def __init__(self, tokenizer: CausalAutoencoder, model: WorldModelNetwork) -> None:
        tokenizer.requires_grad_(False)
        self.module: nn.Module = tokenizer
        self._tokenizer, self._model = tokenizer, model
        for part in tokenizer.decoder_parts:
            part.requires_grad_(True)

    def loss(self, batch: Batch, generator: torch.Generator) -> tuple[Tensor, Mapping[str, Tensor]]:
        frames, tokenizer = unit(batch["frames"]), self._tokenizer
        with torch.no_grad():
            codes = tokenizer.encode(frames)
            seen = tokenizer.embed(codes)
            predicted = self._model.mean_prediction(codes, batch["actions"], generator)
        past = seen.shape[1] - predicted.shape[1]
        of_codes, codes_numbers = tokenizer.reconstruction_loss(seen, frames)
        of_means, means_numbers = tokenizer.reconstruction_loss(torch.cat([seen[:, :past], predicted], dim=1), frames)
        return 0.5 * (of_codes + of_means), {"mse_codes": codes_numbers["mse"], "mse_predicted": means_numbers["mse"]}

    def tokens(self, batch: Batch) -> int:
        return cells(self._tokenizer, batch["frames"])


class WorldModelTask:
    """A world model learns to predict codes: of tokenised windows, or those that a frozen tokenizer gives the
    (augmented) frames of a window. `tokenizer` may be None where every window holds its codes."""

    def __init__(self, model: WorldModelNetwork, tokenizer: VideoTokenizer | None, augmentation: Augmentation) -> None:
        self.module: nn.Module = model
        self._model, self.tokenizer, self.augmentation = model, tokenizer, augmentation

    def loss(self, batch: Batch, generator: torch.Generator) -> tuple[Tensor, Mapping[str, Tensor]]:
        frames = None if "tokens" in batch else self.augmentation.frames(unit(batch["frames"]), generator)
        actions = self.augmentation.actions(batch["actions"], generator)
        return self._model.loss(codes_of(batch, self.tokenizer, frames), actions, generator)

    def tokens(self, batch: Batch) -> int:
        config = self._model.config
        return len(batch["actions"]) * config.num_latents * math.prod(config.sites)
