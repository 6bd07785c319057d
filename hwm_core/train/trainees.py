"""What the trainer trains, and how each is judged while it trains."""

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

from hwm_core.metrics.psnr import mean_psnr, pooled_psnr
from hwm_core.tokenizers import fsq
from hwm_core.tokenizers.causal import CausalVideoTokenizer
from hwm_core.train.trainer import Batch


def unit(frames: Tensor) -> Tensor:
    """Frames uint8 -> float32 in [0, 1]."""
    return frames.float() / 255.0


class TokenizerTrainee:
    """A tokenizer learns to rebuild the frames of a window."""

    def __init__(self, tokenizer: CausalVideoTokenizer) -> None:
        self.module = tokenizer

    def loss(self, batch: Batch, generator: torch.Generator) -> tuple[Tensor, Mapping[str, Tensor]]:
        return self.module.loss(unit(batch["frames"]))


def evaluate_tokenizer(tokenizer: nn.Module, batches: Iterable[Batch]) -> dict[str, float]:
    """Reconstruction PSNR of every frame, and how evenly the digits are used (1: all levels equally often)."""
    errors, digits = [], []
    for batch in batches:
        frames = unit(batch["frames"]).to(next(tokenizer.parameters()).device)
        tokens = tokenizer.encode(frames)
        errors.append((tokenizer.decode(tokens) - frames).square().mean((-3, -2, -1)).flatten())
        digits.append(fsq.codes_to_digits(tokens, tokenizer.levels).flatten(0, -2))
    mse = torch.cat(errors).double().cpu().numpy()
    usage = [_evenness(used, level) for used, level in zip(torch.cat(digits).T, tokenizer.levels)]
    return {"psnr": mean_psnr(mse), "pooled_psnr": pooled_psnr(mse), "digit_usage": sum(usage) / len(usage)}


def _evenness(digits: Tensor, level: int) -> float:
    """Entropy of the digits over its largest possible value."""
    share = torch.bincount(digits, minlength=level) / digits.numel()
    return float(torch.special.entr(share).sum() / torch.tensor(level).log())
