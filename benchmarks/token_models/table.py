"""The results of the comparison on tokens, a table for each robot."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.model_result import interval
from benchmarks.tables import NOT_MEASURED, table
from hwm_core.errors import BadConfig
from hwm_core.evaluation.table import gain

_FAMILIES = {"st_transformer": "ST-Transformer", "masked": "Masked-HWM, `split`"}
_SAME = ("n", "minutes", "codes")
_COLUMNS = (
    ("CE, teacher-forced", "teacher_forced", "ce"),
    ("CE, autoregressive", "greedy", "ce"),
    ("Top-500 CE", "greedy", "top_500_ce"),
    ("CE, all grids in one pass", "at_once", "ce"),
    ("PSNR, autoregressive", "greedy", "psnr_db"),
)
_COMPARED = (("CE, teacher-forced", "teacher_forced", "ce"), ("CE, autoregressive", "greedy", "ce"))

Result = Mapping[str, Any]


def report(folder: Path) -> str:
    """Markdown. Raises BadConfig for results of different conditions."""
    results = [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]
    robots = sorted({result["robot"] for result in results})
    if not robots:
        return NOT_MEASURED
    return "\n\n".join(_of_robot(robot, [one for one in results if one["robot"] == robot]) for robot in robots)


def _of_robot(robot: str, results: Sequence[Result]) -> str:
    first = results[0]
    for result in results[1:]:
        if differ := [key for key in _SAME if result[key] != first[key]]:
            raise BadConfig(
                f"Results of `{robot}`",
                expected="the same samples, codes and training time",
                got=f"different {', '.join(differ)}",
                remedy="Run them again with the same arguments.",
            )
    rows = []
    for family, title in _FAMILIES.items():
        for result in (one for one in results if one["family"] == family):
            saved = _values(result, "shuffled", "ce") - _values(result, "greedy", "ce")
            numbers = [_text(result, condition, key) for _, condition, key in _COLUMNS]
            counts = [f"{result['parameters']:,}", f"{result['steps']:,}"]
            rows.append([title, str(result["seed"]), *counts, *numbers, gain(interval(saved))])
    header = ["model", "seed", "parameters", "steps", *(name for name, *_ in _COLUMNS), "nats saved by true actions"]
    n, machine = first["n"], first["machine"]
    copied = np.mean([one["psnr_db"] for one in first["scores"]["copy_last"]])
    conditions = (
        f"Recordings of `{robot}`: {n['samples']} samples of {n['episodes']} held-out episodes, "
        f"{n['tokens_per_sample']} tokens of {first['codes']:,} codes each. A uniform distribution has "
        f"{math.log(first['codes']):.2f} nats. Training: {first['minutes']:g} processor minutes, one thread of "
        f"{machine['cpu']}. PSNR in dB over the 17 frames of the next clip, against the decoded true grids; copy last "
        f"frame: {copied:.2f}."
    )
    return "\n\n".join([conditions, table(header, rows), *_differences(results)])


def _differences(results: Sequence[Result]) -> list[str]:
    """ST-Transformer minus masked model: the mean over the seeds that both have, with an interval over episodes."""
    by_key = {(one["family"], one["seed"]): one for one in results}
    seeds = sorted(seed for family, seed in by_key if family == "masked" and ("st_transformer", seed) in by_key)
    if not seeds:
        return []
    parts = []
    for title, condition, key in _COMPARED:
        pairs = [
            _values(by_key["st_transformer", seed], condition, key) - _values(by_key["masked", seed], condition, key)
            for seed in seeds
        ]
        parts.append(f"{title} {gain(interval(np.mean(pairs, axis=0)))}")
    return [
        f"ST-Transformer minus masked model, nats per token, mean of {len(seeds)} seed{'s' * (len(seeds) > 1)}, 95 % "
        f"interval over episodes: {'; '.join(parts)}."
    ]


def _values(result: Result, condition: str, key: str) -> NDArray[np.float64]:
    """The values of each episode."""
    return np.array([one[key] for one in result["scores"][condition]])


def _text(result: Result, condition: str, key: str) -> str:
    return f"{_values(result, condition, key).mean():.2f}" if condition in result["scores"] else "-"
