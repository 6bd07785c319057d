"""What the sizes of the codebook were worth, as a table."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.predictions import DECODINGS, TITLES
from benchmarks.tables import table
from benchmarks.tiny.runs import interval
from hwm_core.errors import BadConfig
from hwm_core.evaluation.table import gain

CHOSEN_BY = "mean_future"
_ALIKE = ("n", "horizons", "tokenizer_steps", "steps")


def report(folder: Path) -> str:
    """Markdown, a table for each robot whose recordings were used. Raises BadConfig for runs of unlike conditions."""
    results = [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]
    robots = sorted({result["robot"] for result in results})
    if not robots:
        return "Not measured yet."
    return "\n\n".join(_of_robot(robot, [one for one in results if one["robot"] == robot]) for robot in robots)


def _of_robot(robot: str, results: Sequence[dict[str, Any]]) -> str:
    results = sorted(results, key=lambda one: math.prod(one["levels"]))
    first, machine = results[0], results[0]["machine"]
    for one in results[1:]:
        _require_alike(first, one)
    middle = len(first["horizons"]) // 2
    ahead = first["horizons"][middle]
    best = max(results, key=lambda one: _by_episode(one, CHOSEN_BY)[:, middle].mean())
    rows = []
    for one in results:
        behind = _by_episode(best, CHOSEN_BY)[:, middle] - _by_episode(one, CHOSEN_BY)[:, middle]
        heard = _by_episode(one, CHOSEN_BY)[:, middle] - _by_episode(one, f"{CHOSEN_BY}/shuffled")[:, middle]
        rows.append(
            [
                f"{math.prod(one['levels']):,}",
                "x".join(map(str, one["levels"])),
                _psnr(one, "tokenizer"),
                *(_psnr(one, decoding) for decoding in DECODINGS),
                gain(interval(heard)),
                "best" if one is best else gain(interval(behind)),
            ]
        )
    header = ["codes", "levels", "tokenizer alone", *(TITLES[decoding] for decoding in DECODINGS)]
    header += [f"true above shuffled, mean future, {ahead} frames", f"best above it, mean future, {ahead} frames"]
    conditions = (
        f"Recordings of `{robot}`: {first['n']['windows']} windows of {first['n']['episodes']} held-out episodes. "
        f"PSNR in dB at {' / '.join(map(str, first['horizons']))} frames; copy last frame {_psnr(first, 'copy_last')}. "
        f"Tokenizer {first['tokenizer_steps']:,} steps, model {first['steps']:,}, on one thread of {machine['cpu']}, "
        "one seed."
    )
    return f"{conditions}\n\n{table(header, rows)}"


def _require_alike(one: dict[str, Any], other: dict[str, Any]) -> None:
    """Of the same budgets, judged on the same windows: copying the last frame, which knows no model, tells."""
    differ = [key for key in _ALIKE if one[key] != other[key]]
    if not differ and one["psnr_db"]["copy_last"] != other["psnr_db"]["copy_last"]:
        differ = ["psnr_db"]
    if differ:
        few, many = (f"{math.prod(run['levels']):,} codes" for run in (one, other))
        raise BadConfig(
            f"Codebooks of {few} and of {many}",
            expected="the same budgets and windows",
            got=f"others in {', '.join(differ)}",
            remedy="Run one of them again with the settings and the store of the other.",
        )


def _by_episode(result: dict[str, Any], row: str) -> np.ndarray:
    """PSNR in dB [episodes, horizons]."""
    return np.asarray(result["psnr_db"][row], np.float64)


def _psnr(result: dict[str, Any], row: str) -> str:
    return " / ".join(f"{value:.2f}" for value in _by_episode(result, row).mean(0))
