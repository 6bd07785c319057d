"""The sampling track: the frame 2 s ahead, judged by PSNR at 512x512.

Any world model is rolled out, chunk after chunk where its own future is shorter, and its newest frame enlarged to the
size that is judged. Rows, each with SSIM beside it:
    model               one sample
    mean_of_N           the mean of N samples, of each size asked for
    shuffled            one sample, given another take's motion from this moment's own state
    mean_of_N + ...     that of the largest N, blurred, with the colours of the last frame seen, and both
    copy_last (+ blur)  the last frame seen
    resized             the truth at the model's size and back: a ceiling for every prediction
"""

import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from hwm_core.challenge.forecast_samples import ForecastSample
from hwm_core.challenge.postprocess import blur, match_histogram
from hwm_core.challenge.report import no_donors, sampling_card, sampling_tables
from hwm_core.config import Config
from hwm_core.device import arithmetic
from hwm_core.errors import BadConfig
from hwm_core.io.atomic import new_file, new_folder, write_json, write_text
from hwm_core.io.resumable import ResumableResults
from hwm_core.metrics.bootstrap import paired_bootstrap
from hwm_core.metrics.psnr import frame_mse, mean_psnr, pooled_psnr, psnr
from hwm_core.metrics.ssim import frame_ssim
from hwm_core.rng.candidates import derived_seed
from hwm_core.sampling.config import Sampling
from hwm_core.world_model.model import WorldModel

Frame = NDArray[np.uint8]  # [side, side, 3]


class SamplingTrack(Config):
    """Settings of the protocol."""

    side: int = Field(default=512, ge=16, description="pixels of the frame that is judged")
    ensemble: tuple[int, ...] = Field(default=(1, 5, 20), description="sizes of the means, rising; 1 is always there")
    blur: float = Field(default=2.0, gt=0, description="deviation of the Gaussian, pixels")
    sampling: Sampling = Sampling()
    seed: int = Field(default=0, description="of all draws; every moment and every sample has its own")
    handed_in: str = Field(default="", description="row whose frames are written; default: the largest mean")

    @field_validator("ensemble")
    @classmethod
    def _rising(cls, sizes: tuple[int, ...]) -> tuple[int, ...]:
        if not sizes or sizes[0] < 1 or list(sizes) != sorted(set(sizes)):
            raise ValueError("whole numbers of 1 or more, rising")
        return sizes


def predict_mean(
    world_model: WorldModel, sample: ForecastSample, sampling: Sampling, seed: int, sizes: tuple[int, ...]
) -> dict[int, Frame]:
    """Means of the last frame over the first n samples, uint8 [h, w, 3] at the model's size, for each n of `sizes`.

    Raises BadConfig where several samples would be one and the same.
    """
    seen = len(sample.frames)
    past = world_model.observe(sample.frames, sample.actions[:seen])
    future = sample.actions[None, seen:]
    total = np.zeros(sample.frames.shape[1:], dtype=np.float64)
    means: dict[int, Frame] = {}
    for drawn, rollout in enumerate(world_model.samples(past, future, sizes[-1], sampling=sampling, seed=seed), 1):
        # The last frame asked for; the last latent may hold frames beyond it.
        video = world_model.decode(past, rollout)[0, future.shape[1] - 1]
        total += video.permute(1, 2, 0).double().cpu().numpy()
        if drawn in sizes:
            means[drawn] = np.asarray((total / drawn * 255).round(), dtype=np.uint8)
    return means


def evaluate_sample(world_model: WorldModel, sample: ForecastSample, track: SamplingTrack) -> dict[str, Frame]:
    """The frame of every row, uint8 [side, side, 3]."""
    sizes, seed = tuple(sorted({1, *track.ensemble})), derived_seed(track.seed, sample.number)
    means = predict_mean(world_model, sample, track.sampling, seed, sizes)
    best, rows = sizes[-1], {}
    for size, mean in means.items():
        rows["model" if size == 1 else f"mean_of_{size}"] = _enlarged(mean, track.side)
    name = "model" if best == 1 else f"mean_of_{best}"
    rows[f"{name} + blur"] = blur(rows[name], track.blur)
    rows[f"{name} + histogram"] = match_histogram(rows[name], sample.last)
    rows[f"{name} + blur + histogram"] = match_histogram(rows[f"{name} + blur"], sample.last)
    if sample.borrowed is not None:
        actions = np.concatenate([sample.actions[: len(sample.frames)], sample.borrowed])
        other = predict_mean(world_model, replace(sample, actions=actions), track.sampling, seed, (1,))
        rows["shuffled"] = _enlarged(other[1], track.side)
    rows["copy_last"] = sample.last
    rows["copy_last + blur"] = blur(sample.last, track.blur)
    small = world_model.preprocessing.apply(sample.truth)
    rows["resized"] = _enlarged(small, track.side)
    return rows


def run_track(
    world_model: WorldModel,
    samples: Iterable[ForecastSample],
    track: SamplingTrack,
    out: str | Path,
    *,
    data: str,
    progress: Callable[[int], None] = lambda done: None,
) -> dict[str, Any]:
    """Write a folder with the predictions as PNG and report.json, whole or not at all; returns the report.

    Beside the report lie its tables, table.md, and a model card, MODEL_CARD.md.

    Stopped and called again with the same arguments it goes on to the same result; the frames of moments that are done
    are decoded again, not predicted.

    Args:
        data: tells the set from others, such as `moments.identity`; a run begun on another is not gone on with.
        progress: hears how many are done.

    Raises:
        BadConfig: `out` exists or was begun otherwise; settings that cannot be met.
    """
    chosen = track.handed_in or ("model" if track.ensemble[-1] == 1 else f"mean_of_{track.ensemble[-1]}")
    settings = {
        "format": 3,
        "checkpoint": world_model.sha256,
        "track": track.plain(),
        "arithmetic": arithmetic(world_model.device, world_model.dtype),
        "data": data,
        "handed_in": chosen,
    }
    work = ResumableResults.beside(out, settings)
    scores: list[Mapping[str, Any]] = []
    for sample in samples:
        if (score := work.read_json(sample.name)) is None:
            score = _do(world_model, sample, track, chosen, work)
        scores.append(score)
        progress(len(scores))
    if not scores:
        raise BadConfig("moments", expected="one or more", got="none", remedy="Use other shards, or a larger limit.")
    report = _report(world_model, scores, track, settings)
    with new_folder(out) as folder:
        (folder / "predictions").mkdir()
        for score in scores:
            shutil.copyfile(work.path(f"{score['name']}.png"), folder / "predictions" / f"{score['name']}.png")
        write_json(folder / "report.json", report)
        write_text(folder / "table.md", "\n".join(table.markdown() for table in sampling_tables(report)))
        write_text(folder / "MODEL_CARD.md", sampling_card(world_model, report))
    work.remove()
    return report


def _do(
    world_model: WorldModel, sample: ForecastSample, track: SamplingTrack, chosen: str, work: ResumableResults
) -> dict[str, Any]:
    rows = evaluate_sample(world_model, sample, track)
    if chosen not in rows:
        raise BadConfig("handed_in", expected=" or ".join(rows), got=f"`{chosen}`", remedy="Name a row.")
    work.begin()
    with new_file(work.path(f"{sample.name}.png")) as partial:
        encoded, data = cv2.imencode(".png", cv2.cvtColor(rows[chosen], cv2.COLOR_RGB2BGR))
        assert encoded
        partial.write_bytes(data.tobytes())
    evaluated = {
        row: {"mse": float(frame_mse(frame, sample.truth)), "ssim": float(frame_ssim(frame, sample.truth))}
        for row, frame in rows.items()
    }
    score = {"name": sample.name, "take": sample.take, "rows": evaluated}
    work.write_json(sample.name, score)
    return score


def _report(
    world_model: WorldModel, scores: list[Mapping[str, Any]], track: SamplingTrack, settings: Mapping[str, Any]
) -> dict[str, Any]:
    rows = list(scores[0]["rows"])
    mse = {row: np.array([score["rows"][row]["mse"] for score in scores]) for row in rows}
    takes = np.array([score["take"] for score in scores])
    origin = {"moments": len(scores), "takes": len(np.unique(takes)), "seed": track.seed}
    return {
        "protocol": "1X sampling",
        "checkpoint": {"name": world_model.name, "sha256": world_model.sha256},
        "settings": dict(settings),
        **origin,
        "rows": {
            row: {
                "psnr_db": mean_psnr(mse[row]),
                "pooled_psnr_db": pooled_psnr(mse[row]),
                "ssim": float(np.mean([score["rows"][row]["ssim"] for score in scores])),
                "gain_over": {
                    other: vars(paired_bootstrap(psnr(mse[row]) - psnr(mse[other]), takes, track.seed))
                    for other in _compared(row)
                    if other in rows
                },
                **origin,
            }
            for row in rows
        },
        "unavailable": {} if "shuffled" in rows else {"shuffled": no_donors("moments").plain()},
    }


def _compared(row: str) -> tuple[str, ...]:
    """The rows that it is set against: means against the single sample too."""
    if row == "copy_last":
        return ()
    if row == "model":
        return ("copy_last", "shuffled")
    return ("copy_last", "model") if row.startswith(("mean_of_", "model + ")) else ("copy_last",)


def _enlarged(frame: Frame, side: int) -> Frame:
    """To [side, side, 3]; cubic where it grows."""
    if frame.shape[:2] == (side, side):
        return frame
    kind = cv2.INTER_CUBIC if frame.shape[0] < side else cv2.INTER_AREA
    return np.asarray(cv2.resize(frame, (side, side), interpolation=kind), dtype=np.uint8)
