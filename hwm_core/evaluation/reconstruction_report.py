"""The reconstruction of a tokenizer as JSON, as tables and as examples for a contact sheet."""

from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from hwm_core.data.batches import FrameBatch
from hwm_core.evaluation.reconstruction import Reconstruction, reconstruct
from hwm_core.metrics.psnr import mean_psnr, pooled_psnr, psnr
from hwm_core.tokenizers import VideoTokenizer
from hwm_core.visualization import Example, Strip


def reconstruction_json(result: Reconstruction) -> dict[str, Any]:
    """All numbers, JSON-serialisable."""

    def errors(frames: slice) -> dict[str, float]:
        mse = result.mse[:, frames].ravel()
        return {
            "psnr_db": round(mean_psnr(mse), 3),
            "pooled_psnr_db": round(pooled_psnr(mse), 3),
            "ssim": round(float(result.ssim[:, frames].mean()), 4),
        }

    use = None
    if result.use is not None:
        use = asdict(result.use)
        use["entropy_bits_per_frame"] = result.codes_per_frame * result.use.entropy_bits
        use["conditional_entropy_bits_per_frame"] = result.codes_per_frame * result.use.conditional_entropy_bits
    return {
        "windows": len(result.mse),
        "all": errors(slice(None)),
        "latents": {_range(frames): errors(frames) for frames in result.latents()},
        "frames": [errors(slice(frame, frame + 1)) for frame in range(result.mse.shape[1])],
        "codes_per_frame": result.codes_per_frame,
        "bits_per_frame": result.bits_per_frame(),
        "codes": use,
        "channel_deviations": list(result.deviations) or None,
        "encode_frames_per_s": round(result.encode_hz, 1),
        "decode_frames_per_s": round(result.decode_hz, 1),
    }


def markdown(result: Reconstruction) -> str:
    """Two tables: errors by frames, and the codes."""
    numbers = reconstruction_json(result)
    errors = {"all frames": numbers["all"], **{f"frames {k}": v for k, v in numbers["latents"].items()}}
    lines = [f"| {len(result.mse)} windows | PSNR, dB | pooled | SSIM |", "|---|---:|---:|---:|"]
    lines += [f"| {k} | {v['psnr_db']:.2f} | {v['pooled_psnr_db']:.2f} | {v['ssim']:.3f} |" for k, v in errors.items()]
    lines += ["", "| codes | |", "|---|---:|"]
    return "\n".join(lines + [f"| {key} | {value} |" for key, value in _code_facts(result).items()]) + "\n"


def reconstruction_examples(
    tokenizer: VideoTokenizer,
    windows: Dataset[FrameBatch],
    mse: NDArray[np.float64],
    device: torch.device | str = "cpu",
) -> list[Example]:
    """Examples of the worst, the median and the best window by mean PSNR; `mse` [W, F] has their errors."""
    means = psnr(mse).mean(axis=1)
    order = means.argsort()
    examples = []
    for title, window in {"worst": order[0], "median": order[len(order) // 2], "best": order[-1]}.items():
        truth = windows[int(window)].frames.permute(0, 2, 3, 1).contiguous().numpy()
        decoded = np.concatenate(list(reconstruct(tokenizer, truth, window=len(truth), device=device)))
        notes = [f"mean {means[window]:.1f} dB", f"worst frame {psnr(mse[window]).min():.1f} dB"]
        strips = [Strip("reconstruction", "truth, encoded and decoded", decoded)]
        examples.append(Example(f"{title} of {len(mse)} windows", truth[0], truth, strips, notes, "first frame"))
    return examples


def _code_facts(result: Reconstruction) -> dict[str, str]:
    facts = {"codes per frame": f"{result.codes_per_frame:.1f}"}
    if (use := result.use) is not None:
        conditional = result.codes_per_frame * use.conditional_entropy_bits
        facts |= {
            "bits per frame": f"{result.bits_per_frame():.0f}",
            "bits per frame by entropy": f"{result.codes_per_frame * use.entropy_bits:.0f}",
            "bits per frame by entropy, given the previous latent": f"{conditional:.0f}",
            "codes used": f"{use.codes_used:,} of {use.codebook_size:,}, in {use.num_codes:,}",
            "evenness of the digits": " ".join(f"{one:.2f}" for one in use.digit_evenness),
            "same as in the previous latent": f"{100 * use.repeated:.1f} %",
        }
    else:
        facts["deviation of the channels"] = f"{min(result.deviations):.2f} to {max(result.deviations):.2f}"
    facts["frames per second"] = f"encode {result.encode_hz:.0f}, decode {result.decode_hz:.0f}"
    return facts


def _range(frames: slice) -> str:
    return str(frames.start) if frames.stop - frames.start == 1 else f"{frames.start}-{frames.stop - 1}"
