"""Results as JSON and as tables."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from hwm_core.evaluation.config import EvaluationConfig
from hwm_core.evaluation.distances import distance_plain, distance_words
from hwm_core.evaluation.measures import MEASURES
from hwm_core.evaluation.result import EvaluationResult, Region
from hwm_core.evaluation.table import Table, decimals, gain
from hwm_core.evaluation.token_scores import TokenScores
from hwm_core.metrics.bootstrap import Interval
from hwm_core.metrics.psnr import pooled_psnr, psnr

_TITLES = {
    "model": "model",
    "shuffled": "shuffled actions",
    "none": "no actions",
    "zero": "no motion",
    "reversed": "reversed motion",
    "copy_last": "copy last frame",
    "tokenizer": "tokenizer alone",
    "single": "single sample",
}
_DRAWN_FROM = ("model", "shuffled", "none", "zero", "reversed")


def title(row: str) -> str:
    """A row as people read it."""
    return _TITLES.get(row, row.replace("_", " "))


def compared(result: EvaluationResult) -> dict[str, list[str]]:
    """{row: the rows it is set against}: the model against all others, samples against copying and the model."""
    against = {"model": [row for row in _TITLES if row in result.rows and row not in ("model", "single")]}
    drawn = [row for row in result.rows if row not in _TITLES or row == "single"]
    against.update({row: ["copy_last", "model"] for row in drawn})
    for row in drawn[1:]:
        against[row].append("single")
    return against


def psnr_table(result: EvaluationResult, region: Region = "frame") -> dict[str, dict[str, Any]]:
    """{horizon: {row: dB, "windows", "pooled": {row: dB}, "gain_over": {row: interval}, ...}}, JSON-able.

    `gain_over` is the model's; with samples, "gains_of" has theirs.
    """
    return {str(h): _at(result, h, region) for h in result.horizons}


def all_tables(result: EvaluationResult) -> dict[str, dict[str, dict[str, Any]]]:
    """{"psnr_db", and where they apply "psnr_db_fixed_neck", "psnr_db_moved_objects"}, each as `psnr_table`."""
    return {view.key: psnr_table(view.result, view.region) for view in _views(result)}


def rows_table(result: EvaluationResult, config: EvaluationConfig) -> dict[str, dict[str, Any]]:
    """{row: its n, seed and draws, and its numbers at every frame ahead and as their mean}, JSON-able."""
    return {row: {**_origin(row, result, config), **_curves(row, result)} for row in result.rows}


def origin(result: EvaluationResult) -> dict[str, int]:
    """What stands beside every number: over how much it was measured, and the seed of all draws."""
    return {"windows": len(result), "episodes": result.num_episodes, "seed": result.seed}


def controllability(result: EvaluationResult) -> dict[str, dict[str, Any]]:
    """delta-PSNR in dB, {"shuffled" and "none": {horizon, and "mean" of all frames ahead: interval; n, seed}}."""
    return {
        row: {
            **origin(result),
            **{str(h): interval_plain(result.delta_psnr(row, h)) for h in result.horizons},
            "mean": interval_plain(result.whole_gain("model", row)),
        }
        for row in _controls(result)
    }


def sensitivity_table(result: EvaluationResult) -> dict[str, Any] | None:
    """{"windows", "joints": {name: how far it was disturbed, how far the pictures moved}}, JSON-able.

    Of a joint those windows count whose robot has it; where none does, the numbers are None.
    """
    probed = result.sensitivity
    if probed is None:
        return None
    joints = zip(probed.names, probed.units, probed.std, probed.constant, probed.change.T, probed.mse.T, strict=True)
    return {
        "windows": len(probed.change),
        "joints": {
            name: {
                "disturbed_by": round(std, 6),
                "unit": unit,
                "constant": constant,
                "windows": int((~np.isnan(change)).sum()),
                "mean_absolute_change": None if np.isnan(change).all() else round(float(np.nanmean(change)), 6),
                "psnr_db_between": number(pooled_psnr(mse)),
            }
            for name, unit, std, constant, change, mse in joints
        },
    }


def tables(result: EvaluationResult) -> list[Table]:
    """The same for people: rows against horizons, and the gains with their intervals; a table for each part. Then
    one for each measure, the distances, and the codes."""
    measured = [measure_table(result, name) for name in result.measures]
    distances = [distances_table(result)] if result.distances else []
    tokens = [] if result.tokens is None else [tokens_table(result, result.tokens)]
    return [*map(_table, _views(result)), *measured, *distances, *tokens]


def markdown(result: EvaluationResult) -> str:
    """These tables as Markdown."""
    return "\n".join(table.markdown() for table in tables(result))


def every_table(result: EvaluationResult, config: EvaluationConfig) -> list[Table]:
    """All of them."""
    return [*tables(result), whole_table(result, config), controllability_table(result)]


def whole_table(result: EvaluationResult, config: EvaluationConfig) -> Table:
    """Every row over all frames ahead, with its n, seed and draws."""
    measures = [MEASURES[name] for name in result.measures]
    origins = ["windows", "episodes", "seed", "samples"]
    head = ["All frames ahead", "mean PSNR, dB", "pooled PSNR, dB", *measures, *origins]
    lines = []
    for row, numbers in rows_table(result, config).items():
        means = (numbers["mean"][key] for key in ("psnr_db", "pooled_psnr_db", *result.measures))
        origin = (numbers[key] for key in origins)
        lines.append([title(row), *("-" if value is None else str(value) for value in (*means, *origin))])
    return Table(f"All {result.num_frames} frames ahead together", head, lines)


def measure_table(result: EvaluationResult, name: str) -> Table:
    """One of the measures: rows against horizons."""
    head = [f"{MEASURES[name]}, {len(result)} windows", *(f"{h} frames ahead" for h in result.horizons)]
    lines = [[title(row), *(f"{result.measure(name, row, h):.3f}" for h in result.horizons)] for row in result.rows]
    return Table(MEASURES[name], head, lines)


def tokens_plain(result: EvaluationResult) -> dict[str, Any] | None:
    """{"rows": {row: nats a code, accuracy, n and seed}, "uniform_ce", "gain_over": {row: nats saved}}, JSON-able."""
    if (tokens := result.tokens) is None:
        return None
    return {
        "rows": {
            row: {"ce": _four(tokens.ce[row].mean()), "accuracy": _four(tokens.accuracy[row].mean()), **origin(result)}
            for row in tokens.ce
        },
        "uniform_ce": _four(tokens.uniform_ce),
        "gain_over": {row: interval_plain(result.nats_saved(row)) for row in tokens.ce if row != "model"},
    }


def tokens_table(result: EvaluationResult, tokens: TokenScores) -> Table:
    """Nats a code and accuracy of each row, and what the true actions save."""
    lines = [[title(row), f"{tokens.ce[row].mean():.3f}", f"{tokens.accuracy[row].mean():.3f}"] for row in tokens.ce]
    lines.append(["uniform", f"{tokens.uniform_ce:.3f}", "-"])
    for row in tokens.ce:
        if row != "model":
            lines.append([f"model below {title(row)}", gain(result.nats_saved(row), 3), "-"])
    head = [f"{len(result)} windows", "CE, nats a code", "accuracy"]
    return Table("Codes of the whole future, predicted at once", head, lines)


def distances_plain(result: EvaluationResult) -> dict[str, dict[str, Any]]:
    """{metric: {row: distance, n and seed; of a kernel distance mean and deviation over subsets}}, JSON-able."""
    counted = {**origin(result), "frames_of_window": result.num_frames}
    return {
        metric: {row: {**distance_plain(found), **counted} for row, found in rows.items()}
        for metric, rows in result.distances.items()
    }


def distances_table(result: EvaluationResult) -> Table:
    """Distances to the truth, a column for each; kernel distances with their deviation over subsets."""
    rows = list(next(iter(result.distances.values()), {}))
    count = f"{len(result)} windows of {result.num_frames} frames"
    lines = [[title(row), *(distance_words(one[row]) for one in result.distances.values())] for row in rows]
    return Table("Distances of all pictures from the true ones", [count, *result.distances], lines)


def controllability_table(result: EvaluationResult) -> Table:
    """Delta-PSNR: what the true actions are worth."""
    head = ["dB", *(f"{h} frames ahead" for h in result.horizons), "mean of all frames"]
    lines = [
        [
            f"true actions above {title(row)}",
            *(gain(result.delta_psnr(row, h)) for h in result.horizons),
            gain(result.whole_gain("model", row)),
        ]
        for row in _controls(result)
    ]
    return Table("Controllability (delta-PSNR)", head, lines)


def interval_plain(interval: Interval) -> dict[str, float | None]:
    """{"mean", "low", "high"}, JSON-able."""
    return {key: number(value) for key, value in vars(interval).items()}


def number(value: float | None) -> float | None:
    """Rounded, and None for NaN, which JSON does not know."""
    return None if value is None or math.isnan(value) else round(value, 4)


def _four(value: float) -> float:
    return round(float(value), 4)


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


def _at(result: EvaluationResult, horizon: int, region: Region) -> dict[str, Any]:
    gains: Mapping[str, dict[str, Any]] = {
        row: {over: interval_plain(result.gain(row, over, horizon, region)) for over in others}
        for row, others in compared(result).items()
    }
    drawn = {row: gain for row, gain in gains.items() if row != "model"}
    return {
        **{row: number(result.psnr(row, horizon, region)) for row in result.rows},
        **origin(result),
        "windows": result.count(horizon, region),
        "pooled": {row: number(result.pooled_psnr(row, horizon, region)) for row in result.rows},
        "gain_over": gains["model"],
        **({"gains_of": drawn} if drawn else {}),
    }


def _origin(row: str, result: EvaluationResult, config: EvaluationConfig) -> dict[str, Any]:
    sampled = row in compared(result) and row != "model"
    sampling = config.drawing or config.sampling if sampled else config.sampling
    drawn = sampled or row in _DRAWN_FROM
    return {
        **origin(result),
        "samples": config.samples if row.startswith("mean_of_") else 1 if drawn else None,
        "sampling": sampling.plain() if drawn else None,
    }


def _curves(row: str, result: EvaluationResult) -> dict[str, Any]:
    ahead = range(1, 1 + result.num_frames)
    curves: dict[str, list[float | None]] = {
        "psnr_db": [number(result.psnr(row, h)) for h in ahead],
        "pooled_psnr_db": [number(result.pooled_psnr(row, h)) for h in ahead],
    }
    means = {
        "psnr_db": number(float(result.window_psnr(row).mean())),
        "pooled_psnr_db": number(float(psnr(result.rows[row].frame.mean()))),
    }
    for name, values in result.rows[row].measures.items():
        curves[name] = [number(float(of_frame)) for of_frame in values.mean(axis=0)]
        means[name] = number(float(values.mean()))
    return {"mean": means, "by_frame": curves}


def _table(view: _View) -> Table:
    result, region = view.result, view.region
    head = [f"PSNR in dB, {_windows(result, region)}", *(f"{h} frames ahead" for h in result.horizons)]
    lines = [[title(row), *(decimals(result.psnr(row, h, region)) for h in result.horizons)] for row in result.rows]
    for row, others in compared(result).items():
        for over in others:
            gains = (gain(result.gain(row, over, h, region)) for h in result.horizons)
            lines.append([f"{title(row)} above {title(over)}", *gains])
    return Table(view.title, head, lines)


def _controls(result: EvaluationResult) -> list[str]:
    return [row for row in ("shuffled", "none") if row in result.rows]


def _windows(result: EvaluationResult, region: Region) -> str:
    counts = [result.count(h, region) for h in result.horizons]
    return f"{counts[0]} windows" if len(set(counts)) == 1 else " / ".join(map(str, counts)) + " windows"
