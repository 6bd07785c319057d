"""How tokenizers and world models are judged while they train, on the same held-out windows every time."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.utils.data import Dataset, default_collate

from hwm_core.metrics.psnr import mean_psnr, pooled_psnr
from hwm_core.models.masked import MaskedWorldModel
from hwm_core.tokenizers import VideoTokenizer, fsq
from hwm_core.tokenizers.causal import CausalVideoTokenizer
from hwm_core.train.trainees import unit
from hwm_core.train.trainer import Batch


def fixed_batches(windows: Dataset, count: int, batch_size: int = 16) -> list[Batch]:
    """`count` windows (or all, if there are fewer) spread evenly over `windows`, in batches."""
    length = len(windows)  # type: ignore[arg-type]
    chosen = torch.linspace(0, length - 1, min(count, length)).round().long().tolist()
    parts = [chosen[first : first + batch_size] for first in range(0, len(chosen), batch_size)]
    return [default_collate([windows[item] for item in part]) for part in parts]


def evaluate_tokenizer(tokenizer: CausalVideoTokenizer, batches: Sequence[Batch]) -> dict[str, float]:
    """Reconstruction PSNR of every frame, and how evenly the digits are used (1: all levels equally often)."""
    device = next(tokenizer.parameters()).device
    errors, digits = [], []
    for batch in batches:
        frames = unit(batch["frames"].to(device))
        tokens = tokenizer.encode(frames)
        errors.append((tokenizer.decode(tokens) - frames).square().mean((-3, -2, -1)).flatten())
        digits.append(fsq.codes_to_digits(tokens, tokenizer.levels).flatten(0, -2))
    mse = torch.cat(errors).double().cpu().numpy()
    usage = [_evenness(used, level) for used, level in zip(torch.cat(digits).T, tokenizer.levels)]
    return {"psnr": mean_psnr(mse), "pooled_psnr": pooled_psnr(mse), "digit_usage": sum(usage) / len(usage)}


def evaluate_masked(
    model: MaskedWorldModel, tokenizer: VideoTokenizer, batches: Sequence[Batch], seed: int = 0
) -> dict[str, float]:
    """The training loss with the same draws every time, and the loss when the whole future is masked.

    The latter with the window's own actions, with another window's motion (`shuffled`) and without actions (`none`):
    a model that ignores actions has three equal numbers.
    """
    device = next(model.parameters()).device
    generator = torch.Generator(device).manual_seed(seed)
    past = model.config.num_past_latents
    rows = []
    for batch in batches:
        actions = batch["actions"].to(device)
        tokens = tokenizer.encode(unit(batch["frames"].to(device)))
        loss, metrics = model.loss(tokens, actions, generator)
        row = {"loss": loss, **metrics}
        codes = model.to_sites(tokens)
        visible = codes.clone()
        visible[:, past:] = model.vocabulary.mask_token
        foreign = another_motion(actions, model.config.past_frames)
        for name, played in {"future": actions, "future_shuffled": foreign, "future_none": None}.items():
            row[f"{name}_loss"], row[f"{name}_accuracy"] = model.vocabulary.cross_entropy(
                model.hidden(visible, played).flatten(0, 2), codes[:, past:].flatten(0, 3)
            )
        rows.append({name: float(value) for name, value in row.items()})
    sizes = [len(batch["frames"]) for batch in batches]
    return {name: sum(row[name] * size for row, size in zip(rows, sizes)) / sum(sizes) for name in rows[0]}


def evaluate_decoder(
    tokenizer: CausalVideoTokenizer, model: MaskedWorldModel, batches: Sequence[Batch]
) -> dict[str, float]:
    """PSNR of the future's frames, painted from their own codes and from the model's mean latents."""
    device = next(tokenizer.parameters()).device
    errors: dict[str, list[Tensor]] = {"codes": [], "predicted": []}
    past = model.config.past_frames
    for batch in batches:
        frames, actions = unit(batch["frames"].to(device)), batch["actions"].to(device)
        tokens = tokenizer.encode(frames)
        seen, predicted = tokenizer.embed(tokens), model.mean_future(tokens, actions)
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


def _evenness(digits: Tensor, level: int) -> float:
    """Entropy of the digits over its largest possible value."""
    share = torch.bincount(digits, minlength=level) / digits.numel()
    return float(torch.special.entr(share).sum() / torch.tensor(level).log())
