"""The results of the codebook comparison as a table."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.predictions import PREDICTIONS, TITLES
from benchmarks.tables import table
from benchmarks.tiny.runs import interval
from hwm_core.errors import BadConfig
from hwm_core.evaluation.table import gain

CHOSEN_BY = "mean_prediction"
_SAME_CONDITIONS = ("n", "horizons", "tokenizer_steps", "steps")


def report(folder: Path) -> str:
    """Markdown, one table per robot. Raises BadConfig for results of different conditions."""
    results = [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]
    robots = sorted({result["robot"] for result in results})
    if not robots:
        return "Not measured yet."
    return "\n\n".join(_of_robot(robot, [one for one in results if one["robot"] == robot]) for robot in robots)


def _of_robot(robot: str, results: Sequence[dict[str, Any]]) -> str:
    results = sorted(results, key=lambda result: math.prod(result["levels"]))
    first, machine = results[0], results[0]["machine"]
    for result in results[1:]:
        _require_same_conditions(first, result)
    middle = len(first["horizons"]) // 2
    horizon = first["horizons"][middle]
    best = max(results, key=lambda result: _by_episode(result, CHOSEN_BY)[:, middle].mean())
    rows = []
    for result in results:
        chosen = _by_episode(result, CHOSEN_BY)[:, middle]
        behind_best = _by_episode(best, CHOSEN_BY)[:, middle] - chosen
        action_gain = chosen - _by_episode(result, f"{CHOSEN_BY}/shuffled")[:, middle]
        rows.append(
            [
                f"{math.prod(result['levels']):,}",
                "x".join(map(str, result["levels"])),
                _psnr(result, "tokenizer"),
                *(_psnr(result, prediction) for prediction in PREDICTIONS),
                gain(interval(action_gain)),
                "best" if result is best else gain(interval(behind_best)),
            ]
        )
    header = ["codes", "levels", "tokenizer alone", *(TITLES[prediction] for prediction in PREDICTIONS)]
    header += [
        f"{TITLES[CHOSEN_BY]}: true above shuffled actions, {horizon} frames",
        f"{TITLES[CHOSEN_BY]}: best size above this size, {horizon} frames",
    ]
    conditions = (
        f"Recordings of `{robot}`: {first['n']['windows']} windows of {first['n']['episodes']} held-out episodes. "
        f"PSNR in dB at {' / '.join(map(str, first['horizons']))} frames. Copy last frame: "
        f"{_psnr(first, 'copy_last')}. Training steps: tokenizer {first['tokenizer_steps']:,}, model "
        f"{first['steps']:,}; one thread of {machine['cpu']}, one seed."
    )
    return f"{conditions}\n\n{table(header, rows)}"


def _require_same_conditions(one: dict[str, Any], other: dict[str, Any]) -> None:
    """Raises BadConfig for different budgets or windows. Equal windows have an equal PSNR of the copied last frame."""
    differ = [key for key in _SAME_CONDITIONS if one[key] != other[key]]
    if not differ and one["psnr_db"]["copy_last"] != other["psnr_db"]["copy_last"]:
        differ = ["psnr_db"]
    if differ:
        few, many = (f"{math.prod(result['levels']):,} codes" for result in (one, other))
        raise BadConfig(
            f"Results for {few} and for {many}",
            expected="the same budgets and windows",
            got=f"different {', '.join(differ)}",
            remedy="Run one of them again with the settings and the store of the other.",
        )


def _by_episode(result: dict[str, Any], condition: str) -> np.ndarray:
    """PSNR in dB [episodes, horizons]."""
    return np.asarray(result["psnr_db"][condition], np.float64)


def _psnr(result: dict[str, Any], condition: str) -> str:
    return " / ".join(f"{value:.2f}" for value in _by_episode(result, condition).mean(0))
