"""The sampling track: predict the frame 2 s ahead for every sample, and write the predictions and a report.

The score is PSNR at 512x512; SSIM is given beside it, and LPIPS and FID with local networks. `forecasts` lists the
conditions. A hidden test set has no true frames: only the predictions are written, as a folder and as an archive.
"""

import shutil
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path

import cv2

from hwm_core.challenge.forecast_samples import ForecastSample
from hwm_core.challenge.forecasts import Frame, SamplingTrack, forecast
from hwm_core.challenge.metric_networks import MetricNetworks
from hwm_core.challenge.sampling_report import SamplingReport, sampling_card, sampling_tables
from hwm_core.challenge.sampling_scores import SampleScore
from hwm_core.device import arithmetic
from hwm_core.errors import BadConfig
from hwm_core.io.atomic import new_file, new_folder, write_json, write_text
from hwm_core.io.resumable import Numbers, ResumableResults
from hwm_core.world_model.model import WorldModel

ARCHIVE = "predictions.zip"


def run_track(
    world_model: WorldModel,
    samples: Iterable[ForecastSample],
    track: SamplingTrack,
    out: str | Path,
    *,
    data: str,
    networks: MetricNetworks | None = None,
    progress: Callable[[int], None] = lambda done: None,
) -> SamplingReport:
    """Write a folder with the predictions as PNG, report.json, table.md and MODEL_CARD.md; return the report.

    For a hidden test set the folder has the predictions, the same as predictions.zip, and report.json.

    The folder appears only once it is complete. A stopped run resumes when it is called again with the same arguments:
    finished samples are decoded again, but not predicted again.

    Args:
        data: identifies the set, as `forecast_samples.identity` does; a run on another set cannot be resumed.
        networks: of LPIPS and FID; None: these are unavailable.
        progress: called with the number of finished samples.

    Raises:
        BadConfig: `out` exists, or was started with other settings; there is no sample; the settings name a condition
            that does not exist.
    """
    networks = networks or MetricNetworks()
    settings = {
        "format": 5,
        "checkpoint": world_model.sha256,
        "track": track.plain(),
        "arithmetic": arithmetic(world_model.device, world_model.dtype),
        "data": data,
        "submitted": track.submitted_condition,
        "networks": networks.identities,
    }
    work = ResumableResults.for_output(out, settings)
    scores: list[SampleScore] = []
    for sample in samples:
        if (stored := work.read_json(sample.name)) is not None:
            scores.append(SampleScore(**stored))
        else:
            scores.append(_predict(world_model, sample, track, networks, work))
        progress(len(scores))
    if not scores:
        raise BadConfig("samples", expected="one or more", got="none", remedy="Use other shards, or a larger limit.")
    features = [_features(work, score) for score in scores]
    report = SamplingReport.of(world_model, scores, track.seed, settings, networks, features)
    with new_folder(out) as folder:
        (folder / "predictions").mkdir()
        for score in scores:
            shutil.copyfile(work.path(f"{score.name}.png"), folder / "predictions" / f"{score.name}.png")
        write_json(folder / "report.json", report.plain())
        if report.hidden:
            _archive(folder / ARCHIVE, sorted((folder / "predictions").iterdir()))
        else:
            write_text(folder / "table.md", "\n".join(table.markdown() for table in sampling_tables(report)))
            write_text(folder / "MODEL_CARD.md", sampling_card(world_model, report))
    work.remove()
    return report


def _predict(
    world_model: WorldModel,
    sample: ForecastSample,
    track: SamplingTrack,
    networks: MetricNetworks,
    work: ResumableResults,
) -> SampleScore:
    frames, submitted = forecast(world_model, sample, track), track.submitted_condition
    if submitted not in frames:
        raise BadConfig("submitted", expected=" or ".join(frames), got=f"`{submitted}`", remedy="Choose a condition.")
    work.begin()
    with new_file(work.path(f"{sample.name}.png")) as partial:
        partial.write_bytes(_png(frames[submitted]))
    score = SampleScore.of(sample, frames, networks)
    if sample.truth is not None and (features := networks.features(frames, sample.truth)):
        work[sample.name] = features
    work.write_json(sample.name, score.plain())
    return score


def _png(frame: Frame) -> bytes:
    encoded, data = cv2.imencode(".png", cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
    assert encoded
    return data.tobytes()


def _features(work: ResumableResults, score: SampleScore) -> Numbers:
    """The stored features of a sample, by condition; empty without a network."""
    if score.name not in work:
        return {}
    return work[score.name]


def _archive(path: Path, files: list[Path]) -> None:
    """A zip of files, the same bytes for the same files."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for file in files:
            archive.writestr(zipfile.ZipInfo(file.name), file.read_bytes())  # PNG is compressed already
