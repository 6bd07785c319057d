"""How tokenizers and world models are judged while they train, on the same held-out windows every time."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.utils.data import Dataset

from hwm_core.data.batches import B, FrameBatch, TokenBatch, stack
from hwm_core.data.episodes.windows import evenly_spaced
from hwm_core.metrics.psnr import mean_psnr, pooled_psnr
from hwm_core.models.network import WorldModelNetwork
from hwm_core.tokenizers import VideoTokenizer
from hwm_core.tokenizers.usage import digit_evenness
from hwm_core.train.tasks import codes_of, unit


def fixed_batches(windows: Dataset[B], count: int, batch_size: int = 16) -> list[B]:
    """`count` windows (or all, if there are fewer) spread evenly over `windows`, in batches."""
    chosen = evenly_spaced(count, len(windows)).tolist()  # type: ignore[arg-type]
    parts = [chosen[first : first + batch_size] for first in range(0, len(chosen), batch_size)]
    return [stack([windows[item] for item in part]) for part in parts]


def evaluate_tokenizer(tokenizer: VideoTokenizer, batches: Sequence[FrameBatch]) -> dict[str, float]:
    """Reconstruction PSNR of every frame; of FSQ also how evenly the digits are used (1: all levels equally often)."""
    device = next(tokenizer.parameters()).device
    errors, codes = [], []
    for batch in batches:
        frames = unit(batch.frames.to(device))
        codes.append(tokenizer.encode(frames))
        errors.append((tokenizer.decode(codes[-1]) - frames).square().mean((-3, -2, -1)).flatten())
    mse = torch.cat(errors).double().cpu().numpy()
    numbers = {"psnr": mean_psnr(mse), "pooled_psnr": pooled_psnr(mse)}
    if tokenizer.codes == "discrete":
        evenness = digit_evenness(torch.cat(codes), tokenizer.levels)
        numbers["digit_usage"] = sum(evenness) / len(evenness)
    return numbers


def evaluate_model(
    model: WorldModelNetwork,
    tokenizer: VideoTokenizer | None,
    batches: Sequence[FrameBatch | TokenBatch],
    seed: int = 0,
) -> dict[str, float]:
    """The training loss with the same draws every time, and the loss of the whole future from the past alone.

    The latter with the window's own actions, with another window's motion (`shuffled`) and without actions (`none`):
    a model that ignores actions has three equal numbers.
    """
    device = next(model.parameters()).device
    generator = torch.Generator(device).manual_seed(seed)
    rows = []
    for windows in batches:
        batch = windows.to(device)
        actions, codes = batch.actions, codes_of(batch, tokenizer)
        loss, metrics = model.loss(codes, actions, generator)
        row = {"loss": loss, **metrics}
        noise = generator.get_state()
        foreign = another_motion(actions, model.config.past_frames)
        for name, played in {"future": actions, "future_shuffled": foreign, "future_none": None}.items():
            generator.set_state(noise)  # the three differ by their actions alone
            row |= {f"{name}_{key}": value for key, value in model.future_loss(codes, played, generator).items()}
        rows.append({name: float(value) for name, value in row.items()})
    sizes = [len(batch) for batch in batches]
    return {name: sum(row[name] * size for row, size in zip(rows, sizes)) / sum(sizes) for name in rows[0]}


def evaluate_decoder(
    tokenizer: VideoTokenizer, model: WorldModelNetwork, batches: Sequence[FrameBatch], seed: int = 0
) -> dict[str, float]:
    """PSNR of the future's frames, painted from their own codes and from the model's mean latents."""
    device = next(tokenizer.parameters()).device
    generator = torch.Generator(device).manual_seed(seed)
    errors: dict[str, list[Tensor]] = {"codes": [], "predicted": []}
    past = model.config.past_frames
    for batch in batches:
        frames, actions = unit(batch.frames.to(device)), batch.actions.to(device)
        codes = tokenizer.encode(frames)
        seen, predicted = tokenizer.embed(codes), model.mean_prediction(codes, actions, generator)
        whole = torch.cat([seen[:, : -predicted.shape[1]], predicted], dim=1)
        for name, latents in {"codes": seen, "predicted": whole}.items():
            wrong = tokenizer.decode_latents(latents)[:, past:] - frames[:, past:]
            errors[name].append(wrong.square().mean((-3, -2, -1)).flatten())
    return {f"psnr_{name}": mean_psnr(torch.cat(parts).double().cpu().numpy()) for name, parts in errors.items()}


def another_motion(actions: Tensor, past_frames: int) -> Tensor:
    """Actions [B, F, A] whose future is the motion of the window half a batch away, from the window's own last pose.

    The absolute pose of another window would be the unfair control: it jumps as no robot can.
    """
    now = actions[:, past_frames - 1 : past_frames]
    motion = (actions[:, past_frames:] - now).roll(max(1, len(actions) // 2), dims=0)
    return torch.cat([actions[:, :past_frames], now + motion], dim=1)
