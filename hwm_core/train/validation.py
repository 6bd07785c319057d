"""Evaluation of tokenizers and world models during training, on the same held-out windows every time."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.utils.data import Dataset

from hwm_core.data.batches import B, FrameBatch, TokenBatch, stack
from hwm_core.data.episodes.windows import evenly_spaced
from hwm_core.metrics.psnr import mean_psnr, pooled_psnr
from hwm_core.models.network import WorldModelNetwork
from hwm_core.tokenizers import VideoTokenizer
from hwm_core.tokenizers.codebook_usage import digit_evenness
from hwm_core.train.tasks import codes_of, unit


def fixed_batches(windows: Dataset[B], count: int, batch_size: int = 16) -> list[B]:
    """`count` windows (all if there are fewer), evenly spread over `windows`, in batches."""
    chosen = evenly_spaced(count, len(windows)).tolist()  # type: ignore[arg-type]
    parts = [chosen[first : first + batch_size] for first in range(0, len(chosen), batch_size)]
    return [stack([windows[item] for item in part]) for part in parts]


def evaluate_tokenizer(tokenizer: VideoTokenizer, batches: Sequence[FrameBatch]) -> dict[str, float]:
    """Reconstruction PSNR of all frames in dB; for FSQ also the evenness of digit usage (1: all levels equally)."""
    device = next(tokenizer.parameters()).device
    errors, codes = [], []
    for batch in batches:
        frames = unit(batch.frames.to(device))
        codes.append(tokenizer.encode(frames))
        errors.append(_frame_mse(tokenizer.decode(codes[-1]), frames))
    mse = torch.cat(errors).double().cpu().numpy()
    metrics = {"psnr": mean_psnr(mse), "pooled_psnr": pooled_psnr(mse)}
    if tokenizer.codes == "discrete":
        evenness = digit_evenness(torch.cat(codes), tokenizer.levels)
        metrics["digit_usage"] = sum(evenness) / len(evenness)
    return metrics


def evaluate_model(
    model: WorldModelNetwork,
    tokenizer: VideoTokenizer | None,
    batches: Sequence[FrameBatch | TokenBatch],
    seed: int = 0,
) -> dict[str, float]:
    """The training loss, and the loss of predicting the future from the past alone, with the same noise every time.

    The future is predicted with the window's own actions (`future`), with another window's actions
    (`future_shuffled`) and without actions (`future_none`): for a model that ignores the actions the three are equal.
    """
    device = next(model.parameters()).device
    generator = torch.Generator(device).manual_seed(seed)
    of_batches = []
    for windows in batches:
        batch = windows.to(device)
        own, codes = batch.actions, codes_of(batch, tokenizer)
        loss, more = model.loss(codes, own, generator)
        metrics = {"loss": loss, **more}
        noise = generator.get_state()
        shuffled = shuffled_actions(own, model.config.past_frames)
        for name, actions in {"future": own, "future_shuffled": shuffled, "future_none": None}.items():
            generator.set_state(noise)  # the three predictions differ by their actions alone
            of_future = model.future_loss(codes, actions, generator)
            metrics |= {f"{name}_{key}": value for key, value in of_future.items()}
        of_batches.append({name: float(value) for name, value in metrics.items()})
    sizes = [len(batch) for batch in batches]
    return {
        name: sum(metrics[name] * size for metrics, size in zip(of_batches, sizes)) / sum(sizes)
        for name in of_batches[0]
    }


def evaluate_decoder(
    tokenizer: VideoTokenizer, model: WorldModelNetwork, batches: Sequence[FrameBatch], seed: int = 0
) -> dict[str, float]:
    """PSNR of the future frames in dB, decoded from their codes and from the model's mean latents."""
    device = next(tokenizer.parameters()).device
    generator = torch.Generator(device).manual_seed(seed)
    errors: dict[str, list[Tensor]] = {"codes": [], "predicted": []}
    past = model.config.past_frames
    for batch in batches:
        frames, actions = unit(batch.frames.to(device)), batch.actions.to(device)
        codes = tokenizer.encode(frames)
        latents, mean = tokenizer.embed(codes), model.mean_prediction(codes, actions, generator)
        predicted = torch.cat([latents[:, : -mean.shape[1]], mean], dim=1)
        for name, window in {"codes": latents, "predicted": predicted}.items():
            errors[name].append(_frame_mse(tokenizer.decode_latents(window)[:, past:], frames[:, past:]))
    return {f"psnr_{name}": mean_psnr(torch.cat(parts).double().cpu().numpy()) for name, parts in errors.items()}


def shuffled_actions(actions: Tensor, past_frames: int) -> Tensor:
    """Actions [B, F, A] whose future is replaced by another window's, as offsets from the window's own last action.

    The donor is the window half a batch away. Its absolute actions would be an unfair control: the first would jump by
    more than a robot can move.
    """
    last = actions[:, past_frames - 1 : past_frames]
    offsets = (actions[:, past_frames:] - last).roll(max(1, len(actions) // 2), dims=0)
    return torch.cat([actions[:, :past_frames], last + offsets], dim=1)


def _frame_mse(made: Tensor, truth: Tensor) -> Tensor:
    """Mean squared error of each frame, [B * F]."""
    return (made - truth).square().mean((-3, -2, -1)).flatten()
