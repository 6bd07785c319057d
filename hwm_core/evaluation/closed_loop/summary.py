"""Tables of closed-loop results: rates with intervals, and paired tests against one row."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hwm_core.evaluation.closed_loop.record import EpisodeRecord
from hwm_core.metrics.bootstrap import Interval, paired_bootstrap
from hwm_core.metrics.proportions import mcnemar_exact, wilson_interval
from hwm_core.sim.tasks.table import TASKS

Records = Mapping[int, EpisodeRecord]  # {seed: record} of one row and task


@dataclass(frozen=True)
class Summary:
    """One row in one task."""

    episodes: int
    successes: int
    interval: tuple[float, float]  # Wilson, 95 %
    successes_at_closest: int
    median_final: float  # in the task's unit
    futures: float  # a decision, mean
    decision_seconds: float  # processor time of a decision, median over episodes of their medians


@dataclass(frozen=True)
class Paired:
    """Two rows on the same seeds of one task."""

    episodes: int
    difference: float  # of the success rates, first minus second
    p_value: float  # exact McNemar
    final: Interval  # of the final errors, first minus second; paired bootstrap over seeds


def summarise(records: Records) -> Summary:
    """The summary of at least one episode."""
    some = list(records.values())
    successes = sum(one.success for one in some)
    return Summary(
        episodes=len(some),
        successes=successes,
        interval=wilson_interval(successes, len(some)),
        successes_at_closest=sum(one.success_at_closest for one in some),
        median_final=float(np.median([one.final for one in some])),
        futures=float(np.mean([one.futures / one.decisions for one in some])),
        decision_seconds=float(np.median([one.decision_seconds[0] for one in some])),
    )


def compare(first: Records, second: Records) -> Paired | None:
    """Compare two rows on the seeds that both have; None without one."""
    seeds = sorted(set(first) & set(second))
    if not seeds:
        return None
    a, b = ([records[seed] for seed in seeds] for records in (first, second))
    differences = np.array([x.final - y.final for x, y in zip(a, b, strict=True)])
    return Paired(
        episodes=len(seeds),
        difference=float(np.mean([x.success - y.success for x, y in zip(a, b, strict=True)])),
        p_value=mcnemar_exact([x.success for x in a], [y.success for y in b]),
        final=paired_bootstrap(differences, np.arange(len(seeds)), seed=0),
    )


def table(results: Mapping[str, Mapping[str, Records]], main: str | None = None) -> str:
    """Markdown: one line for each task and row, {row: {task: records}}.

    Args:
        main: the row that the others are compared with: "p" is McNemar's p value of equal success, and "final" the
            interval of the difference of the final errors, this row minus the main row.
    """
    head = "| task | row | success at the end | at closest | median final | futures | s / decision |"
    rule = "|---|---|---|---|---|---|---|"
    lines = [head + (f" p against {main} | final minus {main} |" if main else ""), rule + ("---|---|" if main else "")]
    compared = results.get(main, {}) if main else {}
    for task in TASKS:
        for row, tasks in results.items():
            if records := tasks.get(task):
                against = None if row == main else compare(records, compared.get(task, {}))
                lines.append(_line(task, row, summarise(records)) + (_against(task, against) if main else ""))
    return "\n".join(lines)


def _line(task: str, row: str, one: Summary) -> str:
    low, high = one.interval
    rate = f"{one.successes} of {one.episodes}, {100 * one.successes / one.episodes:.0f} %"
    return (
        f"| {task} | {row} | {rate} ({100 * low:.0f}-{100 * high:.0f}) | {one.successes_at_closest} "
        f"| {_length(task, one.median_final)} | {one.futures:.0f} | {one.decision_seconds:.2f} |"
    )


def _against(task: str, paired: Paired | None) -> str:
    if paired is None:
        return " | |"
    bounds = "" if paired.final.low is None else f" ({_bounds(task, paired.final)})"
    return f" {paired.p_value:.3g} | {_length(task, paired.final.mean)}{bounds} |"


def _bounds(task: str, interval: Interval) -> str:
    assert interval.low is not None
    assert interval.high is not None
    return f"{_length(task, interval.low)} to {_length(task, interval.high)}"


def _length(task: str, value: float) -> str:
    """Centimetres, or radians."""
    return f"{100 * value:.1f} cm" if TASKS[task].unit == "m" else f"{value:.3f} rad"
