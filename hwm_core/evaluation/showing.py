"""Windows worth looking at."""

import numpy as np

from hwm_core.evaluation.engine import Evaluation
from hwm_core.evaluation.result import EvaluationResult
from hwm_core.evaluation.rows import model, shuffled
from hwm_core.metrics.psnr import psnr
from hwm_core.pictures import Example


def eventful(result: EvaluationResult, count: int) -> list[int]:
    """From each of `count` equal stretches of windows the one in which most happens, or all of few windows."""
    happening = result.rows["copy_last"].frame.mean(axis=1)
    stretches = np.array_split(np.arange(len(result)), min(count, len(result)))
    return [int(stretch[happening[stretch].argmax()]) for stretch in stretches]


def examples(evaluation: Evaluation, result: EvaluationResult, count: int) -> list[Example]:
    """`eventful` windows, predicted again with their own and with another motion."""
    chosen = eventful(result, count)
    batch = evaluation.batch(chosen)
    own, other = model(batch), shuffled(batch)
    rate = evaluation.world_model.frame_rate_hz
    shown = []
    for i, window in enumerate(chosen):
        at = (result.start[window] + evaluation.windows.past_frames - 1) / rate
        shown.append(
            Example(
                title=f"{result.episode_names[result.episode[window]]}, {at:.1f} s",
                newest=batch.newest[i],
                truth=batch.truth[i],
                predictions={"predicted": own[i], "another motion": other[i]},
                notes=_notes(result, window),
            )
        )
    return shown


def _notes(result: EvaluationResult, window: int) -> list[str]:
    """The window's own numbers, one line a horizon."""
    own, copied = (psnr(result.rows[row].frame[window]) for row in ("model", "copy_last"))
    return [f"+{h}: {a:.1f} dB, last frame {b:.1f} dB" for h, a, b in zip(result.horizons, own, copied, strict=True)]
