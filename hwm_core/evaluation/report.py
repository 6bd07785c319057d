"""Results as JSON and as a Markdown table."""

import math
from dataclasses import dataclass
from typing import Any

from hwm_core.evaluation.result import EvaluationResult, Region
from hwm_core.metrics.bootstrap import Interval

_COMPARED = ("shuffled", "none", "copy_last")
_TITLES = {
    "model": "model",
    "shuffled": "shuffled actions",
    "none": "no actions",
    "copy_last": "copy last frame",
    "tokenizer": "tokenizer alone",
    "single": "single sample",
}


def psnr_table(result: EvaluationResult, region: Region = "frame") -> dict[str, dict[str, Any]]:
    """{horizon: {row: dB, "windows", "pooled": {row: dB}, "gain_over": {row: {"mean", "low", "high"}}}}, JSON-able."""
    return {
        str(h): {
            **{row: _number(result.psnr(row, h, region)) for row in result.rows},
            "windows": result.count(h, region),
            "pooled": {row: _number(result.pooled_psnr(row, h, region)) for row in result.rows},
            "gain_over": {row: _interval(result.gain("model", row, h, region)) for row in _COMPARED},
        }
        for h in result.horizons
    }


def all_tables(result: EvaluationResult) -> dict[str, dict[str, dict[str, Any]]]:
    """{"psnr_db", and where they apply "psnr_db_fixed_neck", "psnr_db_moved_objects"}, each as `psnr_table`."""
    return {view.key: psnr_table(view.result, view.region) for view in _views(result)}


def markdown(result: EvaluationResult) -> str:
    """The same as tables: rows against horizons, and the gains with their intervals."""
    return "\n".join(f"**{view.title}**\n\n{_markdown_table(view.result, view.region)}" for view in _views(result))


@dataclass(frozen=True)
class _View:
    """A part of the pictures that has numbers of its own."""

    key: str
    title: str
    result: EvaluationResult
    region: Region


def _views(result: EvaluationResult) -> list[_View]:
    views = [_View("psnr_db", "All windows", result, "frame")]
    if result.still_camera.any() and not result.still_camera.all():
        views.append(_View("psnr_db_fixed_neck", "Neck fixed", result.only(result.still_camera), "frame"))
    if result.moved_pixels is not None:
        views.append(_View("psnr_db_moved_objects", "Inside objects that moved more than 2 cm", result, "moved"))
    return views


def _markdown_table(result: EvaluationResult, region: Region) -> str:
    header = [f"PSNR in dB, {_windows(result, region)}", *(f"{h} frames ahead" for h in result.horizons)]
    lines = [_line(header), _line(["---", *("---:" for _ in result.horizons)])]
    for row in result.rows:
        values = (f"{result.psnr(row, h, region):.2f}" for h in result.horizons)
        lines.append(_line([_title(row), *values]))
    for row in _COMPARED:
        gains = (_gain(result.gain("model", row, h, region)) for h in result.horizons)
        lines.append(_line([f"model above {_title(row)}", *gains]))
    return "\n".join(lines) + "\n"


def _title(row: str) -> str:
    return _TITLES.get(row, row.replace("_", " "))


def _windows(result: EvaluationResult, region: Region) -> str:
    counts = [result.count(h, region) for h in result.horizons]
    return f"{counts[0]} windows" if len(set(counts)) == 1 else " / ".join(map(str, counts)) + " windows"


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _gain(interval: Interval) -> str:
    if interval.low is None or interval.high is None:
        return f"{interval.mean:+.2f}"
    return f"{interval.mean:+.2f} ({interval.low:+.2f} to {interval.high:+.2f})"


def _interval(interval: Interval) -> dict[str, float | None]:
    return {key: _number(value) for key, value in vars(interval).items()}


def _number(value: float | None) -> float | None:
    """Rounded, and None for NaN, which JSON does not know."""
    return None if value is None or math.isnan(value) else round(value, 3)
