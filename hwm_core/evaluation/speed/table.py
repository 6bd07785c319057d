"""The table of the speed bench."""

from collections.abc import Mapping, Sequence
from statistics import fmean

from hwm_core.evaluation.speed.measure import SpeedRow
from hwm_core.evaluation.speed.plan import PlanSpeed
from hwm_core.evaluation.speed.settings import NAIVE, SETTINGS, SLOW
from hwm_core.evaluation.table import Table, decimals


def speed_table(rows: Mapping[str, SpeedRow], counts: Sequence[int], plans: PlanSpeed) -> str:
    """Markdown: milliseconds of each number of candidates, ratios at the largest, and how each setting ranks."""
    most = max(counts)
    head = ["setting", *(f"{count}, ms" for count in counts), "times slow", "times naive", "Spearman", "top-1 regret"]
    lines = []
    for name, row in rows.items():
        times = [f"{row.wall_ms[count]:.0f}" for count in counts]
        ratios = [
            decimals(rows[other].wall_ms[most] / row.wall_ms[most]) if other in rows else "" for other in (SLOW, NAIVE)
        ]
        verdict = f"{100 * fmean(row.top1_regret):.1f} %" + ("" if row.accepted else ", rejected")
        lines.append([SETTINGS[name].summary, *times, *ratios, f"{fmean(row.spearman):.3f}", verdict])
    ends = f"p50 {plans.p50_ms:.0f} ms, {plans.futures:.0f} futures, n = {len(plans.wall_ms)}"
    return f"{Table('Scoring, from images to costs (median wall time)', head, lines).markdown()}\nA plan: {ends}"
