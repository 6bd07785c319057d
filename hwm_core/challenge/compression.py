"""The compression track: distributions over the tokens of the grids to come, judged by Top-500 cross-entropy.

Rows, each judged on the same samples:
    model           what is handed in: nothing but past grids and actions is heard
    shuffled        the same, given another take's motion from this sample's own state
    none            the same with the action stream dropped
    teacher_forced  each grid given the true grids before it: a bound, not a prediction
    teacher_forced_no_actions
                    the same with the action stream dropped: 1X ranked v1.1 by it, without the actions to come
Beside them: `uniform`, log(vocabulary), and `copy_last`, a distribution with one probability for "this token stays as
in the newest grid seen" and the rest evenly over all other codes (so that its Top-500 CE is its CE). That probability
is the best in hindsight: no copying does better.
"""

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from hwm_core.challenge.compressor import Compressor, TopCodes
from hwm_core.challenge.grid_samples import GridSample
from hwm_core.challenge.report import compression_card, compression_tables, no_donors
from hwm_core.challenge.submission import check_pattern, write_archive, write_sample
from hwm_core.device import arithmetic
from hwm_core.evaluation.counterfactual import apply_motion, choose_donors
from hwm_core.io.atomic import write_json, write_text
from hwm_core.io.resumable import ResumableResults
from hwm_core.metrics.bootstrap import paired_bootstrap
from hwm_core.metrics.tokens import NOTHING, TOP, TopCrossEntropy, top_cross_entropy

ROWS = ("model", "shuffled", "none", "teacher_forced", "teacher_forced_no_actions")


def compress(
    compressor: Compressor,
    samples: Sequence[GridSample],
    out: str | Path,
    *,
    batch: int = 4,
    pattern: str = "{number}.npz",
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> dict[str, Any] | None:
    """Write the archive, whole and valid or not at all; where the truth is known also the report.

    The report is `out` in .json, with its tables as .table.md and a model card as .MODEL_CARD.md.

    Stopped and called again with the same arguments it goes on, to the same bytes.

    Args:
        batch: samples at once.
        pattern: of the members' names.

    Returns:
        The report; None where no truth is known.

    Raises:
        BadConfig: `out` exists, or was begun with other arguments; a pattern without the number.
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
    work = ResumableResults.beside(out, settings)
    known = all(sample.truth is not None for sample in samples)
    recipients = counterfactual_actions(samples, compressor) if known else []
    for first in range(0, len(samples), batch):
        some = samples[first : first + batch]
        if not all(_is_done(work, sample) for sample in some):
            _do(compressor, some, recipients[first : first + batch], work)
        progress(first + len(some), len(samples))
    report = None
    if known:
        scores = [work.read_json(str(sample.number)) for sample in samples]
        report = _report(compressor, samples, scores, settings)
        write_json(out.with_suffix(".json"), report)
        write_text(out.with_suffix(".table.md"), "\n".join(table.markdown() for table in compression_tables(report)))
        write_text(out.with_suffix(".MODEL_CARD.md"), compression_card(compressor.checkpoint, report))
    files = {sample.number: work.path(f"{sample.number}.npz") for sample in samples}
    write_archive(out, files, compressor.layout, pattern)
    work.remove()
    return report


def _identity(samples: Sequence[GridSample]) -> str:
    """sha256 of all that is given of them: a run begun on other data is not gone on with."""
    digest = hashlib.sha256()
    for sample in samples:
        digest.update(f"{sample.number} {sample.take}".encode())
        for array in (sample.seen, sample.actions, sample.truth):
            digest.update(b"" if array is None else np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def counterfactual_actions(samples: Sequence[GridSample], compressor: Compressor) -> list[GridSample]:
    """Each with another one's motion played from its own state, of another take where there is one; [] of one alone."""
    takes, places = np.array([sample.take for sample in samples]), np.arange(len(samples))
    if len(samples) < 2:
        return []
    past, manifest = compressor.config.past_frames, compressor.manifest
    recipients = []
    for sample, donor in zip(
        samples, choose_donors(takes, places, 1, compressor.seed), strict=True
    ):  # none shares a frame
        own, other = sample.actions, samples[donor].actions
        future = apply_motion(own[past - 1], other[past:] - other[past - 1], manifest)
        recipients.append(replace(sample, actions=np.concatenate([own[:past], future])))
    return recipients


def _is_done(work: ResumableResults, sample: GridSample) -> bool:
    return work.read_json(str(sample.number)) is not None  # written last


def _do(
    compressor: Compressor, samples: Sequence[GridSample], recipients: Sequence[GridSample], work: ResumableResults
) -> None:
    """`recipients` are these samples with the actions of the row `shuffled`, where there are any."""
    known = all(sample.truth is not None for sample in samples)
    rows = {row: compressor.predict(samples, row) for row in ROWS if row == "model" or (known and row != "shuffled")}
    if recipients:
        rows["shuffled"] = compressor.predict(recipients)
    work.begin()
    for place, sample in enumerate(samples):
        found = rows["model"]
        path = work.path(f"{sample.number}.npz")
        write_sample(path, found.codes[place].numpy(), found.log_probs[place].numpy(), compressor.layout)
        evaluated = (
            {row: _judge(compressor, found, place, sample.truth) for row, found in rows.items()} if known else {}
        )
        work.write_json(str(sample.number), evaluated)


def _judge(compressor: Compressor, found: TopCodes, place: int, truth: NDArray[np.int64] | None) -> dict[str, float]:
    assert truth is not None and found.of_truth is not None
    top = top_cross_entropy(found.codes[place], found.log_probs[place], torch.from_numpy(truth), compressor.vocabulary)
    return {**vars(top), "nats_of_all": -float(found.of_truth[place].double().sum())}


def _report(
    compressor: Compressor,
    samples: Sequence[GridSample],
    scores: Sequence[Mapping[str, Any]],
    settings: Mapping[str, Any],
) -> dict[str, Any]:
    takes = np.array([sample.take for sample in samples])
    rows = [row for row in ROWS if row in scores[0]]
    whole = {row: np.array([score[row]["nats_of_all"] / score[row]["tokens"] for score in scores]) for row in rows}
    tops = {row: [_top(score[row]) for score in scores] for row in rows}
    of_top = {row: np.array([one.ce for one in parts]) for row, parts in tops.items()}
    seen, truths = (np.stack(parts) for parts in zip(*((one.seen, one.truth) for one in samples), strict=True))
    copied, stays = _copy_last(seen, truths, compressor.vocabulary)
    against = {row: of_top[row] for row in ("shuffled", "none") if row in rows} | {"copy_last": copied}
    origin = {"samples": len(samples), "takes": len(np.unique(takes)), "seed": compressor.seed}
    return {
        "protocol": "1X compression",
        "checkpoint": {"name": compressor.checkpoint.name, "sha256": compressor.checkpoint.sha256},
        "settings": dict(settings),
        **origin,
        "tokens": int(truths.size),
        "rows": {
            row: {
                "top_500_ce" if compressor.top == TOP else f"top_{compressor.top}_ce": sum(tops[row], NOTHING).ce,
                "ce": float(whole[row].mean()),
                "hit_rate": sum(tops[row], NOTHING).hit_rate,
                "ce_of_hits": _number(sum(tops[row], NOTHING).ce_of_hits),
                "accuracy": sum(tops[row], NOTHING).accuracy,
                **origin,
            }
            for row in rows
        },
        "baselines": {
            "uniform": math.log(compressor.vocabulary),
            "copy_last": float(copied.mean()),
            "copy_last_accuracy": stays,
        },
        "gain_over": {
            other: vars(paired_bootstrap(nats - of_top["model"], takes, compressor.seed))
            for other, nats in against.items()
        },
        "unavailable": {} if "shuffled" in rows else {"shuffled": no_donors("samples").plain()},
    }


def _top(score: Mapping[str, Any]) -> TopCrossEntropy:
    return TopCrossEntropy(**{key: value for key, value in score.items() if key != "nats_of_all"})


def _copy_last(
    seen: NDArray[np.int64], truths: NDArray[np.int64], vocabulary: int
) -> tuple[NDArray[np.float64], float]:
    """Nats a token of each sample, and the share of tokens that stay: that probability is the best one for all."""
    stay = (seen[:, -1:] == truths).mean(axis=(1, 2, 3))
    share = float(stay.mean())  # samples have as many tokens
    nats = np.zeros(len(stay))
    for of_sample, probability in ((stay, share), (1 - stay, (1 - share) / (vocabulary - 1))):
        if probability > 0:  # else no sample has such a token
            nats -= of_sample * math.log(probability)
    return nats, share


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value
