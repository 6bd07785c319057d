"""Chooses windows for contact sheets, and the frames to show of each window."""

from collections.abc import Mapping

import numpy as np

from hwm_core.evaluation.conditions import Condition, copy_last, model, shuffled, tokenizer
from hwm_core.evaluation.engine import Evaluation
from hwm_core.evaluation.result import EvaluationResult
from hwm_core.metrics.psnr import psnr
from hwm_core.visualization import Example, Strip

_PREDICTION = ("prediction", "same past, true actions")
_SHUFFLED = ("prediction", "same past, shuffled actions")
_COPY_LAST = ("copy last frame", "the newest frame, repeated")
_TOKENIZER = ("tokenizer alone", "truth, encoded and decoded: the ceiling")
_Labelled = Mapping[tuple[str, str], Condition]  # {(label, explanation): condition}


def eventful(result: EvaluationResult, count: int) -> list[int]:
    """The windows are divided into `count` equal parts; returns the window with the largest change of each part."""
    change = result.conditions["copy_last"].mse.mean(axis=1)
    stretches = np.array_split(np.arange(len(result)), min(count, len(result)))
    return [int(stretch[change[stretch].argmax()]) for stretch in stretches]


def examples(evaluation: Evaluation, result: EvaluationResult, count: int) -> list[Example]:
    """`eventful` windows: the prediction, the prediction under shuffled actions, and the tokenizer alone."""
    shown: _Labelled = {_PREDICTION: model, _SHUFFLED: shuffled, _TOKENIZER: tokenizer}
    return _examples(evaluation, result, eventful(result, count), shown)


def best_median_worst(result: EvaluationResult) -> dict[str, int]:
    """The windows with the worst, the median and the best PSNR over all frames ahead."""
    order = result.window_psnr("model").argsort(kind="stable")
    return {"worst": int(order[0]), "median": int(order[len(order) // 2]), "best": int(order[-1])}


def extremes(evaluation: Evaluation, result: EvaluationResult) -> dict[str, Example]:
    """Examples of the worst, the median and the best window: the prediction and the repeated newest frame."""
    chosen = best_median_worst(result)
    found = _examples(evaluation, result, list(chosen.values()), {_PREDICTION: model, _COPY_LAST: copy_last})
    return dict(zip(chosen, found, strict=True))


def _examples(evaluation: Evaluation, result: EvaluationResult, chosen: list[int], shown: _Labelled) -> list[Example]:
    """The chosen windows, predicted again."""
    batch = evaluation.batch(chosen)
    ahead = slice(evaluation.config.num_frames)
    frames = {labels: condition(batch)[:, ahead] for labels, condition in shown.items()}
    rate, windows = evaluation.world_model.frame_rate_hz, result.windows
    return [
        Example(
            title=f"{windows.episode_names[windows.episode[window]]}, {windows.newest[window] / rate:.1f} s",
            newest=batch.newest[i],
            truth=batch.truth[i, ahead],
            strips=[Strip(*labels, of_windows[i]) for labels, of_windows in frames.items()],
            notes=_notes(result, window),
        )
        for i, window in enumerate(chosen)
    ]


def _notes(result: EvaluationResult, window: int) -> list[str]:
    """PSNR of the prediction and of the repeated newest frame, a line for each horizon."""
    own, copied = (psnr(result.conditions[name].mse[window]) for name in ("model", "copy_last"))
    return [f"+{h}: {own[h - 1]:.1f} dB, copy last frame {copied[h - 1]:.1f} dB" for h in result.horizons]
