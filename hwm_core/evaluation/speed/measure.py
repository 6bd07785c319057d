"""Times the settings in turn, so that other load on the machine meets all alike, and compares how they rank."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median
from time import perf_counter, process_time

import numpy as np

from hwm_core.evaluation.speed.scene import Scene
from hwm_core.evaluation.speed.settings import NAIVE, SLOW, Score
from hwm_core.metrics.ranking import spearman, top1_regret
from hwm_core.planning.scoring import synchronise

NAIVE_CANDIDATES = 8  # the naive way takes the same time for each candidate: a few are timed, and multiplied
LEAST_SPEARMAN, LARGEST_REGRET = 0.95, 0.05
"""What a fast setting must reach against the slow one to be accepted."""


@dataclass(frozen=True)
class SpeedRow:
    """One setting: what it takes, and how it ranks compared with the slow one."""

    wall_ms: Mapping[int, float]  # {candidates: median}, from images to costs
    processor_ms: Mapping[int, float]  # the same in processor time, over all threads
    spearman: tuple[float, ...]  # of each scene, with the largest number of candidates
    top1_regret: tuple[float, ...]

    @property
    def accepted(self) -> bool:
        """Whether it ranks as the slow one does."""
        return fmean(self.spearman) >= LEAST_SPEARMAN and fmean(self.top1_regret) <= LARGEST_REGRET


def measure(
    scores: Mapping[str, Score],
    scenes: Sequence[Scene],
    counts: Sequence[int],
    repeats: int,
    progress: Callable[[str], None] = lambda name: None,
) -> dict[str, SpeedRow]:
    """Measure every setting with every number of candidates.

    Args:
        scores: the settings by name, `SLOW` among them.
        scenes: with at least `max(counts)` candidates each.
        counts: numbers of candidates.
        repeats: timed calls of each setting and number, after one that is not timed.
        progress: called with the name of a setting after each of its calls.
    """
    most = max(counts)
    costs: dict[str, list[np.ndarray]] = {name: [] for name in scores}
    for scene in scenes:
        for name, score in scores.items():
            costs[name].append(score(scene, _timed(name, most)).float().cpu().numpy())
            progress(name)
    wall: dict[tuple[str, int], list[float]] = {}
    processor: dict[tuple[str, int], list[float]] = {}
    for repeat in range(1 + repeats):
        for count in counts:
            for name, score in scores.items():
                scene, timed = scenes[repeat % len(scenes)], _timed(name, count)
                start, start_processor = perf_counter(), process_time()
                synchronise(score(scene, timed))
                if repeat:
                    wall.setdefault((name, count), []).append(perf_counter() - start)
                    processor.setdefault((name, count), []).append(process_time() - start_processor)
                progress(name)

    def milliseconds(of: Mapping[tuple[str, int], list[float]], name: str) -> dict[int, float]:
        return {count: 1e3 * median(of[name, count]) * count / _timed(name, count) for count in counts}

    rows = {}
    for name in scores:
        pairs = [(mine, slow[: len(mine)]) for mine, slow in zip(costs[name], costs[SLOW], strict=True)]
        rows[name] = SpeedRow(
            wall_ms=milliseconds(wall, name),
            processor_ms=milliseconds(processor, name),
            spearman=tuple(spearman(*pair) for pair in pairs),
            top1_regret=tuple(top1_regret(*pair) for pair in pairs),
        )
    return rows


def _timed(name: str, count: int) -> int:
    """How many candidates are scored in place of `count`."""
    return min(count, NAIVE_CANDIDATES) if name == NAIVE else count
