"""Pictures of how far a run has come, of the same held-out windows every time."""

import torch
from torch import Tensor

from hwm_core.data.batches import FrameBatch, TokenBatch
from hwm_core.frames import to_frames
from hwm_core.models.network import WorldModelNetwork
from hwm_core.tokenizers import VideoTokenizer
from hwm_core.train.tasks import codes_of, unit
from hwm_core.visualization.preview_sheet import Preview


@torch.no_grad()
def predicted_samples(
    model: WorldModelNetwork, tokenizer: VideoTokenizer, batch: FrameBatch | TokenBatch, count: int = 3, seed: int = 0
) -> list[Preview]:
    """The first windows of a batch with the model's mean future, one step from the past: cheap, and blurred where it is
    unsure. Of windows of codes the truth is what the tokenizer paints of them."""
    device = next(model.parameters()).device
    some = batch.first(count).to(device)
    generator = torch.Generator(device).manual_seed(seed)
    codes = codes_of(some, tokenizer)
    truth = unit(some.frames) if isinstance(some, FrameBatch) else tokenizer.decode(codes)
    latents = tokenizer.embed(codes).float()
    mean = model.mean_prediction(codes, some.actions, generator).float()
    painted = tokenizer.decode_latents(torch.cat([latents[:, : -mean.shape[1]], mean], dim=1))
    past = model.config.past_frames
    return _samples(truth[:, :past], truth[:, past:], painted[:, past:])


@torch.no_grad()
def rebuilt_samples(tokenizer: VideoTokenizer, batch: FrameBatch, count: int = 3) -> list[Preview]:
    """The first windows of a batch, through the tokenizer and back."""
    frames = unit(batch.frames[:count].to(next(tokenizer.parameters()).device))
    return _samples(frames[:, :0], frames, tokenizer.decode(tokenizer.encode(frames)))


def _samples(seen: Tensor, truth: Tensor, made: Tensor) -> list[Preview]:
    return [Preview(*map(to_frames, window)) for window in zip(seen, truth, made)]
