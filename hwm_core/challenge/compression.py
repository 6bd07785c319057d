"""The compression track: distributions over the tokens of the grids to come, judged by Top-500 cross-entropy.

Rows, each judged on the same samples:
    model           what is handed in: nothing but past grids and actions is heard
    none            the same with the action stream dropped
    teacher_forced  each grid given the true grids before it: a bound, not a prediction (v1.1 ranks by it)
Beside them: `uniform`, log(vocabulary), and `copy_last`, a distribution with one probability for "this token stays as
in the newest grid seen" and the rest evenly over all other codes. That probability is the best in hindsight, so that
no copying does better.
"""

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from hwm_core.challenge.compressor import Compressor, TopCodes
from hwm_core.challenge.grids import Sample
from hwm_core.challenge.submission import check_pattern, write_archive, write_sample
from hwm_core.challenge.unfinished import Unfinished
from hwm_core.data.atomic import write_json
from hwm_core.metrics.bootstrap import paired_bootstrap
from hwm_core.metrics.tokens import NOTHING, TOP, TopCrossEntropy, top_cross_entropy

ROWS = ("model", "none", "teacher_forced")


def compress(
    compressor: Compressor,
    samples: Sequence[Sample],
    out: str | Path,
    *,
    batch: int = 4,
    pattern: str = "{number}.npz",
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> dict[str, Any] | None:
    """Write the archive, whole and valid or not at all; where the truth is known also the report, as `out` in .json.

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
        "checkpoint": compressor.checkpoint.sha256,
        "sampling": compressor.sampling.plain(),
        "seed": compressor.seed,
        "dtype": str(compressor.dtype),
        "top": compressor.top,
        "batch": batch,
        "data": _identity(samples),
    }
    check_pattern(pattern)
    out = Path(out)
    work = Unfinished(out, settings)
    known = all(sample.truth is not None for sample in samples)
    for first in range(0, len(samples), batch):
        some = samples[first : first + batch]
        if not all(_is_done(work, sample) for sample in some):
            _do(compressor, some, work)
        progress(first + len(some), len(samples))
    report = None
    if known:
        scores = [work.read(f"{sample.number}.json") for sample in samples]
        report = _report(compressor, samples, scores, settings)
        write_json(out.with_suffix(".json"), report)
    files = {sample.number: work.path(f"{sample.number}.npz") for sample in samples}
    write_archive(out, files, compressor.layout, pattern)
    work.remove()
    return report


def _identity(samples: Sequence[Sample]) -> str:
    """sha256 of all that is given of them: a run begun on other data is not gone on with."""
    digest = hashlib.sha256()
    for sample in samples:
        digest.update(f"{sample.number} {sample.take}".encode())
        for array in (sample.seen, sample.actions, sample.truth):
            digest.update(b"" if array is None else np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _is_done(work: Unfinished, sample: Sample) -> bool:
    return work.path(f"{sample.number}.json").exists()  # written last


def _do(compressor: Compressor, samples: Sequence[Sample], work: Unfinished) -> None:
    known = all(sample.truth is not None for sample in samples)
    rows = {row: compressor.predict(samples, row) for row in (ROWS if known else ROWS[:1])}
    work.begin()
    for place, sample in enumerate(samples):
        found = rows["model"]
        path = work.path(f"{sample.number}.npz")
        write_sample(path, found.codes[place].numpy(), found.log_probs[place].numpy(), compressor.layout)
        judged = {row: _judge(compressor, found, place, sample.truth) for row, found in rows.items()} if known else {}
        work.write(f"{sample.number}.json", judged)


def _judge(compressor: Compressor, found: TopCodes, place: int, truth: NDArray[np.int64] | None) -> dict[str, float]:
    assert truth is not None and found.of_truth is not None
    top = top_cross_entropy(found.codes[place], found.log_probs[place], torch.from_numpy(truth), compressor.vocabulary)
    return {**vars(top), "nats_of_all": -float(found.of_truth[place].double().sum())}


def _report(
    compressor: Compressor, samples: Sequence[Sample], scores: Sequence[Mapping[str, Any]], settings: Mapping[str, Any]
) -> dict[str, Any]:
    takes = np.array([sample.take for sample in samples])
    whole = {row: np.array([score[row]["nats_of_all"] / score[row]["tokens"] for score in scores]) for row in ROWS}
    tops = {row: [_top(score[row]) for score in scores] for row in ROWS}
    of_top = {row: np.array([one.ce for one in parts]) for row, parts in tops.items()}
    seen, truths = (np.stack(parts) for parts in zip(*((one.seen, one.truth) for one in samples), strict=True))
    return {
        "protocol": "1X compression",
        "checkpoint": {"name": compressor.checkpoint.name, "sha256": compressor.checkpoint.sha256},
        "settings": dict(settings),
        "samples": len(samples),
        "takes": len(np.unique(takes)),
        "tokens": int(truths.size),
        "rows": {
            row: {
                "top_500_ce" if compressor.top == TOP else f"top_{compressor.top}_ce": sum(tops[row], NOTHING).ce,
                "ce": float(whole[row].mean()),
                "hit_rate": sum(tops[row], NOTHING).hit_rate,
                "ce_of_hits": _number(sum(tops[row], NOTHING).ce_of_hits),
                "accuracy": sum(tops[row], NOTHING).accuracy,
            }
            for row in ROWS
        },
        "baselines": {"uniform": math.log(compressor.vocabulary), **_copy_last(seen, truths, compressor.vocabulary)},
        "actions_are_worth": vars(paired_bootstrap(of_top["none"] - of_top["model"], takes, compressor.seed)),
    }


def _top(score: Mapping[str, Any]) -> TopCrossEntropy:
    return TopCrossEntropy(**{key: value for key, value in score.items() if key != "nats_of_all"})


def _copy_last(seen: NDArray[np.int64], truths: NDArray[np.int64], vocabulary: int) -> dict[str, float]:
    stays = float((seen[:, -1:] == truths).mean())
    parts = ((stays, 1), (1 - stays, vocabulary - 1))
    return {
        "copy_last": -sum(share * math.log(share / codes) for share, codes in parts if share > 0),
        "copy_last_accuracy": stays,
    }


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value
