"""Measures how well a tokenizer reconstructs the frames of a window, and how it uses its codes."""

import math
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from hwm_core.clips import num_latents
from hwm_core.data.batches import FrameBatch
from hwm_core.frames import to_frames, to_video
from hwm_core.metrics.psnr import frame_mse
from hwm_core.metrics.ssim import frame_ssim
from hwm_core.tokenizers import VideoTokenizer
from hwm_core.tokenizers.codebook_usage import CodebookUsage, codebook_usage


@dataclass(frozen=True)
class Reconstruction:
    """The errors of W windows of F frames, and the codes they were encoded to."""

    mse: NDArray[np.float64]  # [W, F], of 8-bit frames, values in [0, 1]
    ssim: NDArray[np.float64]  # [W, F]
    temporal_factor: int
    use: CodebookUsage | None  # None for a continuous tokenizer
    deviations: tuple[float, ...]  # standard deviation of each channel of a continuous tokenizer
    codes_per_frame: float  # codes of all latents of a window, divided by its frames
    encode_hz: float  # frames per second; without the first batch, if there are more
    decode_hz: float

    def latents(self) -> list[slice]:
        """The frames of each latent."""
        return [slice(0, 1)] + [
            slice(f, f + self.temporal_factor) for f in range(1, self.mse.shape[1], self.temporal_factor)
        ]

    def bits_per_frame(self) -> float | None:
        """Bits per frame of a discrete tokenizer, if each code is stored with a fixed number of bits."""
        return None if self.use is None else self.codes_per_frame * math.log2(self.use.codebook_size)


@torch.inference_mode()
def measure(
    tokenizer: VideoTokenizer,
    batches: Iterable[FrameBatch],
    *,
    device: torch.device | str = "cpu",
    clock: Callable[[], float] = time.perf_counter,
) -> Reconstruction:
    """Encode and decode every window of `batches`."""
    mse, ssim, codes, spent = [], [], [], []
    for batch in batches:
        frames = batch.frames.to(device)
        marks = [_now(clock, device)]
        encoded = tokenizer.encode(frames.float() / 255.0)
        marks.append(_now(clock, device))
        decoded = tokenizer.decode(encoded)
        marks.append(_now(clock, device))
        compared = to_frames(decoded), frames.movedim(-3, -1).contiguous().cpu().numpy()
        mse.append(frame_mse(*compared))
        ssim.append(frame_ssim(*compared))
        codes.append(encoded.cpu())
        spent.append((frames.shape[0] * frames.shape[1], *np.diff(marks)))
    counted = np.array(spent[1:] or spent)  # the first batch warms up
    num_frames, encoding, decoding = counted.sum(axis=0)
    discrete = tokenizer.codes == "discrete"
    all_codes = torch.cat(codes)
    return Reconstruction(
        mse=np.concatenate(mse),
        ssim=np.concatenate(ssim),
        temporal_factor=tokenizer.temporal_factor,
        use=codebook_usage(all_codes, tokenizer.levels) if discrete else None,
        deviations=() if discrete else tuple(all_codes.flatten(0, -2).std(0).tolist()),
        codes_per_frame=math.prod(all_codes.shape[1:4]) / mse[0].shape[1],
        encode_hz=float(num_frames / encoding),
        decode_hz=float(num_frames / decoding),
    )


def reconstruct(
    tokenizer: VideoTokenizer, frames: NDArray[np.uint8], *, window: int = 17, device: torch.device | str = "cpu"
) -> Iterator[NDArray[np.uint8]]:
    """Reconstruct a video of any length, in windows of `window` = 1 + k * temporal_factor frames.

    The last window is padded with its last frame, and the padding is removed again. The tokenizers are causal, so the
    padding does not change the frames before it.

    Args:
        frames: uint8 [F, H, W, 3].

    Yields:
        The reconstructed frames of each window, uint8 [f, H, W, 3].
    """
    num_latents(window, tokenizer.temporal_factor)
    for start in range(0, len(frames), window):
        part = frames[start : start + window]
        missing = -(len(part) - 1) % tokenizer.temporal_factor
        padded = np.concatenate([part, part[-1:].repeat(missing, axis=0)])
        with torch.inference_mode():
            decoded = tokenizer.decode(tokenizer.encode(to_video(padded[None], device)))
        yield to_frames(decoded)[0, : len(part)]


def _now(clock: Callable[[], float], device: torch.device | str) -> float:
    if torch.device(device).type == "cuda":
        torch.cuda.synchronize(device)
    return clock()
