"""The compression track: predict the token grids of the next clip, and write the archive for 1X.

The model ranks the codes of every future token (`compressor`). Where the true tokens are known, the predictions are
scored too (`compression_scores`).
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from hwm_core.challenge.compression_report import CompressionReport, compression_card, compression_tables
from hwm_core.challenge.compression_scores import CONDITIONS, SampleScore
from hwm_core.challenge.compressor import Compressor
from hwm_core.challenge.grid_samples import GridSample
from hwm_core.challenge.submission import check_pattern, write_archive, write_sample
from hwm_core.device import arithmetic
from hwm_core.evaluation.counterfactual import apply_motion, choose_donors
from hwm_core.io.atomic import write_json, write_text
from hwm_core.io.resumable import ResumableResults


def compress(
    compressor: Compressor,
    samples: Sequence[GridSample],
    out: str | Path,
    *,
    batch: int = 4,
    pattern: str = "{number}.npz",
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> CompressionReport | None:
    """Write the archive and, where the true tokens are known, the report.

    The archive appears only once it is complete and valid. The report is `out` with the suffix .json; its tables have
    the suffix .table.md, and the model card .MODEL_CARD.md. A stopped run resumes when it is called again with the
    same arguments, and writes the same bytes.

    Args:
        batch: samples that are predicted at once.
        pattern: file names inside the archive.
        progress: called with the number of finished samples and the number of all samples.

    Returns:
        The report; None if the true tokens are not known.

    Raises:
        BadConfig: `out` exists, or was started with other arguments; `pattern` lacks the number.
    """
    settings = {
        "format": 3,
        "checkpoint": compressor.checkpoint.sha256,
        "sampling": compressor.sampling.plain(),
        "seed": compressor.seed,
        "arithmetic": arithmetic(compressor.device, compressor.dtype),
        "top": compressor.top,
        "batch": batch,
        "data": _identity(samples),
    }
    check_pattern(pattern)
    out = Path(out)
    work = ResumableResults.for_output(out, settings)
    with_truth = all(sample.truth is not None for sample in samples)
    shuffled = shuffled_actions(samples, compressor) if with_truth else []
    for first in range(0, len(samples), batch):
        chunk = slice(first, first + batch)
        if not all(_is_done(work, sample) for sample in samples[chunk]):
            _predict(compressor, samples[chunk], shuffled[chunk], work)
        progress(min(first + batch, len(samples)), len(samples))
    report = None
    if with_truth:
        scores = [_score(work, sample) for sample in samples]
        report = CompressionReport.of(compressor, samples, scores, settings)
        write_json(out.with_suffix(".json"), report.plain())
        write_text(out.with_suffix(".table.md"), "\n".join(table.markdown() for table in compression_tables(report)))
        write_text(out.with_suffix(".MODEL_CARD.md"), compression_card(compressor.checkpoint, report))
    files = {sample.number: work.path(f"{sample.number}.npz") for sample in samples}
    write_archive(out, files, compressor.layout, pattern)
    work.remove()
    return report


def shuffled_actions(samples: Sequence[GridSample], compressor: Compressor) -> list[GridSample]:
    """The samples with counterfactual actions: each gets the future motion of another sample.

    The motion starts from the sample's own state. The donor is from another take if there is one. A single sample has
    no donor; the result is then empty.
    """
    takes, positions = np.array([sample.take for sample in samples]), np.arange(len(samples))
    if len(samples) < 2:
        return []
    past, manifest = compressor.config.past_frames, compressor.manifest
    shuffled = []
    # Samples share no frames, so a length of 1 suffices.
    for sample, donor in zip(samples, choose_donors(takes, positions, 1, compressor.seed), strict=True):
        own, other = sample.actions, samples[donor].actions
        future = apply_motion(own[past - 1], other[past:] - other[past - 1], manifest)
        shuffled.append(replace(sample, actions=np.concatenate([own[:past], future])))
    return shuffled


def _predict(
    compressor: Compressor, samples: Sequence[GridSample], shuffled: Sequence[GridSample], work: ResumableResults
) -> None:
    """Predict and score one batch.

    Args:
        shuffled: these samples with shuffled actions, or none.
    """
    predictions = {"model": compressor.predict(samples)}
    with_truth = all(sample.truth is not None for sample in samples)
    if with_truth:
        others = [condition for condition in CONDITIONS if condition not in ("model", "shuffled")]
        predictions |= {condition: compressor.predict(samples, condition) for condition in others}
    if shuffled:
        predictions["shuffled"] = compressor.predict(shuffled)
    work.begin()
    for index, sample in enumerate(samples):
        top = predictions["model"]
        path = work.path(f"{sample.number}.npz")
        write_sample(path, top.codes[index].numpy(), top.log_probs[index].numpy(), compressor.layout)
        scores = {}
        if with_truth:
            assert sample.truth is not None
            for condition, predicted in predictions.items():
                scores[condition] = SampleScore.of(predicted, index, sample.truth, compressor.vocabulary).plain()
        work.write_json(str(sample.number), scores)


def _is_done(work: ResumableResults, sample: GridSample) -> bool:
    return work.read_json(str(sample.number)) is not None  # written last


def _score(work: ResumableResults, sample: GridSample) -> dict[str, SampleScore]:
    stored = work.read_json(str(sample.number))
    return {condition: SampleScore(**numbers) for condition, numbers in stored.items()}


def _identity(samples: Sequence[GridSample]) -> str:
    """sha256 of all samples. A run on other samples cannot be resumed with these."""
    digest = hashlib.sha256()
    for sample in samples:
        digest.update(f"{sample.number} {sample.take}".encode())
        for array in (sample.past, sample.actions, sample.truth):
            digest.update(b"" if array is None else np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
