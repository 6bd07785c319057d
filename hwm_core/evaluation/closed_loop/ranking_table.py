"""The table of the ranking bench."""

from collections.abc import Iterator, Mapping

import numpy as np

from hwm_core.evaluation.closed_loop.ranking_record import RankingRecord
from hwm_core.metrics.proportions import wilson_interval
from hwm_core.sim.tasks.table import TASKS

_TIE = 0.1  # a choice within this share of the task's threshold from holding is neither nearer nor further


def ranking_table(results: Mapping[str, Mapping[str, Mapping[int, RankingRecord]]]) -> str:
    """Markdown: one line for each task, place and source of costs, {place: {task: {seed: record}}}."""
    lines = [
        "| task | place | cost on | n | Spearman | top-1 regret | ranked better than true | chosen | holding "
        "| nearer than holding | further |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for task in TASKS:
        for place, tasks in results.items():
            if records := list(tasks.get(task, {}).values()):
                lines += _lines(task, place, records)
    return "\n".join(lines)


def _lines(task: str, place: str, records: list[RankingRecord]) -> Iterator[str]:
    tie, unit = _TIE * TASKS[task].threshold, TASKS[task].unit
    hold = np.array([one.hold_error for one in records])
    for source in records[0].sources:
        some = [one.sources[source] for one in records]
        chosen = np.array([one.chosen_error for one in some])
        correlations = [one.spearman for one in some if one.spearman is not None]
        yield (
            f"| {task} | {place} | {source} | {len(records)} | {np.mean(correlations) if correlations else np.nan:.2f} "
            f"| {np.mean([one.top1_regret for one in some]):.2f} "
            f"| {100 * np.mean([one.better_than_true for one in some]):.0f} % "
            f"| {np.median(chosen):.3f} {unit} | {np.median(hold):.3f} {unit} "
            f"| {_share(chosen < hold - tie)} | {_share(chosen > hold + tie)} |"
        )


def _share(outcomes: np.ndarray) -> str:
    low, high = wilson_interval(int(outcomes.sum()), len(outcomes))
    return f"{100 * outcomes.mean():.0f} % ({100 * low:.0f}-{100 * high:.0f})"
