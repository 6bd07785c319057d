"""How well a tokenizer rebuilds video, frame by frame of a window, and what it does with its codes."""

import math
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from hwm_core.clips import num_latents
from hwm_core.data.batches import FrameBatch
from hwm_core.frames import to_frames, to_video
from hwm_core.metrics.psnr import frame_mse, mean_psnr, pooled_psnr, psnr
from hwm_core.metrics.ssim import frame_ssim
from hwm_core.tokenizers import VideoTokenizer
from hwm_core.tokenizers.usage import CodeUse, code_use
from hwm_core.visualization import Example


@dataclass(frozen=True)
class Reconstruction:
    """What became of W windows of F frames."""

    mse: NDArray[np.float64]  # [W, F], of pictures of 8 bits, values in [0, 1]
    ssim: NDArray[np.float64]  # [W, F]
    temporal_factor: int
    use: CodeUse | None  # of a discrete tokenizer
    deviations: tuple[float, ...]  # of the channels of a continuous one
    codes_per_frame: float  # cells of all latents over frames
    encode_hz: float  # frames a second, the first batch not counted where there are more
    decode_hz: float

    def latents(self) -> list[slice]:
        """The frames of each latent."""
        return [slice(0, 1)] + [
            slice(f, f + self.temporal_factor) for f in range(1, self.mse.shape[1], self.temporal_factor)
        ]

    def bits_per_frame(self) -> float | None:
        """Of a discrete tokenizer, every code as long as the codebook asks."""
        return None if self.use is None else self.codes_per_frame * math.log2(self.use.size)


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
        given = tokenizer.encode(frames.float() / 255.0)
        marks.append(_now(clock, device))
        rebuilt = tokenizer.decode(given)
        marks.append(_now(clock, device))
        pictures = to_frames(rebuilt), frames.movedim(-3, -1).contiguous().cpu().numpy()
        mse.append(frame_mse(*pictures))
        ssim.append(frame_ssim(*pictures))
        codes.append(given.cpu())
        spent.append((frames.shape[0] * frames.shape[1], *np.diff(marks)))
    counted = np.array(spent[1:] or spent)  # the first batch warms up
    of_frames, encoding, decoding = counted.sum(axis=0)
    discrete = tokenizer.codes == "discrete"
    every = torch.cat(codes)
    return Reconstruction(
        mse=np.concatenate(mse),
        ssim=np.concatenate(ssim),
        temporal_factor=tokenizer.temporal_factor,
        use=code_use(every, tokenizer.levels) if discrete else None,
        deviations=() if discrete else tuple(every.flatten(0, -2).std(0).tolist()),
        codes_per_frame=math.prod(every.shape[1:4]) / mse[0].shape[1],
        encode_hz=float(of_frames / encoding),
        decode_hz=float(of_frames / decoding),
    )


def table(found: Reconstruction) -> dict[str, Any]:
    """All numbers, JSON-able."""

    def row(frames: slice) -> dict[str, float]:
        errors = found.mse[:, frames]
        return {
            "psnr_db": round(mean_psnr(errors.ravel()), 3),
            "pooled_psnr_db": round(pooled_psnr(errors.ravel()), 3),
            "ssim": round(float(found.ssim[:, frames].mean()), 4),
        }

    bits = found.bits_per_frame()
    use = None
    if found.use is not None:
        use = asdict(found.use)
        use["entropy_bits_per_frame"] = found.codes_per_frame * found.use.entropy_bits
        use["news_bits_per_frame"] = found.codes_per_frame * found.use.news_bits
    return {
        "windows": len(found.mse),
        "all": row(slice(None)),
        "latents": {_frames(frames): row(frames) for frames in found.latents()},
        "frames": [row(slice(frame, frame + 1)) for frame in range(found.mse.shape[1])],
        "codes_per_frame": found.codes_per_frame,
        "bits_per_frame": bits,
        "codes": use,
        "channel_deviations": list(found.deviations) or None,
        "encode_frames_per_s": round(found.encode_hz, 1),
        "decode_frames_per_s": round(found.decode_hz, 1),
    }


def markdown(found: Reconstruction) -> str:
    """The same as tables."""
    numbers = table(found)
    lines = [f"| {len(found.mse)} windows | PSNR, dB | pooled | SSIM |", "|---|---:|---:|---:|"]
    rows = {"all frames": numbers["all"], **{f"frames {k}": v for k, v in numbers["latents"].items()}}
    lines += [f"| {k} | {v['psnr_db']:.2f} | {v['pooled_psnr_db']:.2f} | {v['ssim']:.3f} |" for k, v in rows.items()]
    lines += ["", "| of the codes | |", "|---|---:|"]
    facts = {"codes a frame": f"{found.codes_per_frame:.1f}"}
    if (use := found.use) is not None:
        facts |= {
            "bits a frame": f"{numbers['bits_per_frame']:.0f}",
            "bits a frame by entropy": f"{found.codes_per_frame * use.entropy_bits:.0f}",
            "bits a frame that the latent before does not tell": f"{found.codes_per_frame * use.news_bits:.0f}",
            "codes used": f"{use.used:,} of {use.size:,}, in {use.seen:,}",
            "evenness of the digits": " ".join(f"{one:.2f}" for one in use.evenness),
            "same as one latent before": f"{100 * use.repeated:.1f} %",
        }
    else:
        facts["deviation of the channels"] = f"{min(found.deviations):.2f} to {max(found.deviations):.2f}"
    facts["frames a second"] = f"encode {found.encode_hz:.0f}, decode {found.decode_hz:.0f}"
    return "\n".join(lines + [f"| {key} | {value} |" for key, value in facts.items()]) + "\n"


def rebuild(
    tokenizer: VideoTokenizer, frames: NDArray[np.uint8], *, window: int = 17, device: torch.device | str = "cpu"
) -> Iterator[NDArray[np.uint8]]:
    """A video of any length in windows of `window` = 1 + k * temporal_factor frames, each rebuilt alone.

    The last window is filled up with its last frame, which changes no frame before it, and cut again.

    Args:
        frames: uint8 [F, H, W, 3].

    Yields:
        The same frames rebuilt, window after window, uint8 [f, H, W, 3].
    """
    num_latents(window, tokenizer.temporal_factor)
    for start in range(0, len(frames), window):
        part = frames[start : start + window]
        missing = -(len(part) - 1) % tokenizer.temporal_factor
        filled = np.concatenate([part, part[-1:].repeat(missing, axis=0)])
        with torch.inference_mode():
            rebuilt = tokenizer.decode(tokenizer.encode(to_video(filled[None], device)))
        yield to_frames(rebuilt)[0, : len(part)]


def examples(
    tokenizer: VideoTokenizer,
    windows: Dataset[FrameBatch],
    mse: NDArray[np.float64],
    device: torch.device | str = "cpu",
) -> list[Example]:
    """Of `windows`, whose errors are `mse` [W, F], the worst, the median and the best by mean PSNR, to be drawn."""
    means = psnr(mse).mean(axis=1)
    order = means.argsort()
    shown = []
    for title, window in {"worst": order[0], "median": order[len(order) // 2], "best": order[-1]}.items():
        truth = windows[int(window)].frames.permute(0, 2, 3, 1).contiguous().numpy()
        rebuilt = np.concatenate(list(rebuild(tokenizer, truth, window=len(truth), device=device)))
        notes = [f"mean {means[window]:.1f} dB", f"worst frame {psnr(mse[window]).min():.1f} dB"]
        shown.append(Example(f"{title} of {len(mse)} windows", truth[0], truth, {"reconstruction": rebuilt}, notes))
    return shown


def _frames(frames: slice) -> str:
    return str(frames.start) if frames.stop - frames.start == 1 else f"{frames.start}-{frames.stop - 1}"


def _now(clock: Callable[[], float], device: torch.device | str) -> float:
    if torch.device(device).type == "cuda":
        torch.cuda.synchronize(device)
    return clock()
