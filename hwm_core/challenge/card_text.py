"""Sentences that the model cards of both tracks share."""

from collections.abc import Iterator, Mapping
from typing import Any

from hwm_core.challenge.sample_counts import SHUFFLED_UNAVAILABLE, SampleCounts
from hwm_core.evaluation.condition_names import title
from hwm_core.evaluation.model_card import is_above_zero
from hwm_core.evaluation.table import gain
from hwm_core.metrics.bootstrap import MIN_EPISODES, Interval


def data_text(counts: SampleCounts, settings: Mapping[str, Any]) -> Iterator[str]:
    """What the model was evaluated on."""
    yield f"{counts}; sha256 of the data {settings['data']}."


def protocol_text() -> Iterator[str]:
    """What `shuffled` and the intervals mean."""
    yield "Shuffled actions: the motion of another take, from the sample's own state."
    yield f"Intervals: 95 %, paired bootstrap over takes, given for {MIN_EPISODES} or more takes."


def limits_text(counts: SampleCounts, has_shuffled: bool, gains: Mapping[str, Interval], unit: str) -> Iterator[str]:
    """What the numbers do not show.

    Args:
        gains: of the model, by the reference condition.
    """
    if counts.takes < MIN_EPISODES:
        yield f"Fewer than {MIN_EPISODES} takes: no intervals, and no conclusion beyond these takes."
    if not has_shuffled:
        yield str(SHUFFLED_UNAVAILABLE)
    for other, interval in gains.items():
        if not is_above_zero(interval):
            yield f"Not shown to be better than {reference_title(other)}: {gain(interval, 3)} {unit}."


def reference_title(condition: str) -> str:
    """The condition as the end of a comparison, as in "model below copying the last"."""
    return "copying the last" if condition == "copy_last" else title(condition)
