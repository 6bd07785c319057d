"""Windows worth looking at."""

from collections.abc import Mapping

import numpy as np

from hwm_core.evaluation.conditions import Row, copy_last, model, shuffled
from hwm_core.evaluation.engine import Evaluation
from hwm_core.evaluation.result import EvaluationResult
from hwm_core.metrics.psnr import psnr
from hwm_core.visualization import Example


def eventful(result: EvaluationResult, count: int) -> list[int]:
    """From each of `count` equal stretches of windows the one in which most happens, or all of few windows."""
    happening = result.rows["copy_last"].frame.mean(axis=1)
    stretches = np.array_split(np.arange(len(result)), min(count, len(result)))
    return [int(stretch[happening[stretch].argmax()]) for stretch in stretches]


def examples(evaluation: Evaluation, result: EvaluationResult, count: int) -> list[Example]:
    """`eventful` windows, predicted again with their own and with another motion."""
    return _shown(evaluation, result, eventful(result, count), {"predicted": model, "another motion": shuffled})


def best_median_worst(result: EvaluationResult) -> dict[str, int]:
    """The windows of the best, the median and the worst PSNR over all frames ahead, by these names."""
    order = result.window_psnr("model").argsort(kind="stable")
    return {"worst": int(order[0]), "median": int(order[len(order) // 2]), "best": int(order[-1])}


def extremes(evaluation: Evaluation, result: EvaluationResult) -> dict[str, Example]:
    """The best, the median and the worst window, predicted again, beside the newest frame repeated."""
    chosen = best_median_worst(result)
    shown = _shown(evaluation, result, list(chosen.values()), {"predicted": model, "last frame copied": copy_last})
    return dict(zip(chosen, shown, strict=True))


def _shown(
    evaluation: Evaluation, result: EvaluationResult, chosen: list[int], rows: Mapping[str, Row]
) -> list[Example]:
    batch = evaluation.batch(chosen)
    ahead = slice(evaluation.config.num_frames)
    predictions = {label: row(batch)[:, ahead] for label, row in rows.items()}
    rate = evaluation.world_model.frame_rate_hz
    shown = []
    for i, window in enumerate(chosen):
        at = result.newest[window] / rate
        shown.append(
            Example(
                title=f"{result.episode_names[result.episode[window]]}, {at:.1f} s",
                newest=batch.newest[i],
                truth=batch.truth[i, ahead],
                predictions={label: frames[i] for label, frames in predictions.items()},
                notes=_notes(result, window),
            )
        )
    return shown


def _notes(result: EvaluationResult, window: int) -> list[str]:
    """The window's own numbers, one line a horizon."""
    own, copied = (psnr(result.rows[row].frame[window]) for row in ("model", "copy_last"))
    return [f"+{h}: {own[h - 1]:.1f} dB, last frame {copied[h - 1]:.1f} dB" for h in result.horizons]
