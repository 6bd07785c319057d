"""Preview images of a training run, from the same held-out windows at every evaluation."""

import torch
from torch import Tensor

from hwm_core.data.batches import FrameBatch, TokenBatch
from hwm_core.frames import to_frames
from hwm_core.models.network import WorldModelNetwork
from hwm_core.tokenizers import VideoTokenizer
from hwm_core.train.tasks import codes_of, unit
from hwm_core.visualization.preview_sheet import Preview


@torch.no_grad()
def prediction_previews(
    model: WorldModelNetwork, tokenizer: VideoTokenizer, batch: FrameBatch | TokenBatch, count: int = 3, seed: int = 0
) -> list[Preview]:
    """The first windows of a batch with the model's mean prediction.

    The mean prediction takes one step, so it is cheap; where the model is uncertain it is blurred. The ground truth of
    a TokenBatch is decoded from its tokens.
    """
    device = next(model.parameters()).device
    windows = batch.first(count).to(device)
    generator = torch.Generator(device).manual_seed(seed)
    codes = codes_of(windows, tokenizer)
    truth = unit(windows.frames) if isinstance(windows, FrameBatch) else tokenizer.decode(codes)
    latents = tokenizer.embed(codes).float()
    mean = model.mean_prediction(codes, windows.actions, generator).float()
    decoded = tokenizer.decode_latents(torch.cat([latents[:, : -mean.shape[1]], mean], dim=1))
    past = model.config.past_frames
    return _previews(truth[:, :past], truth[:, past:], decoded[:, past:])


@torch.no_grad()
def reconstruction_previews(tokenizer: VideoTokenizer, batch: FrameBatch, count: int = 3) -> list[Preview]:
    """The first windows of a batch, encoded and decoded."""
    frames = unit(batch.frames[:count].to(next(tokenizer.parameters()).device))
    return _previews(frames[:, :0], frames, tokenizer.decode(tokenizer.encode(frames)))


def _previews(past: Tensor, truth: Tensor, output: Tensor) -> list[Preview]:
    return [Preview(*map(to_frames, window)) for window in zip(past, truth, output)]
