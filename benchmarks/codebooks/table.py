"""The results of the codebook comparison as a table."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.model_result import ModelResult, interval
from benchmarks.predictions import PREDICTIONS, TITLES
from benchmarks.tables import table
from hwm_core.errors import BadConfig
from hwm_core.evaluation.table import gain

CHOSEN_BY = "mean_prediction"
_SAME_CONDITIONS = ("n", "horizons", "tokenizer_steps", "steps")


@dataclass(frozen=True)
class CodebookResult(ModelResult):
    """The model of one codebook size."""

    robot: str
    levels: tuple[int, ...]

    @property
    def codes(self) -> int:
        """The codebook size."""
        return math.prod(self.levels)


def report(folder: Path) -> str:
    """Markdown, one table per robot. Raises BadConfig for results of different conditions."""
    results = [_read(path) for path in sorted(folder.glob("*.json"))]
    robots = sorted({result.robot for result in results})
    if not robots:
        return "Not measured yet."
    return "\n\n".join(_of_robot(robot, [one for one in results if one.robot == robot]) for robot in robots)


def _read(path: Path) -> CodebookResult:
    document = json.loads(path.read_text())
    return CodebookResult(document, document["robot"], tuple(document["levels"]))


def _of_robot(robot: str, results: Sequence[CodebookResult]) -> str:
    results = sorted(results, key=lambda result: result.codes)
    first = results[0]
    for result in results[1:]:
        _require_same_conditions(first, result)
    horizon = first.horizons[len(first.horizons) // 2]
    best = max(results, key=lambda result: result.psnr(CHOSEN_BY, horizon))
    rows = [
        [
            f"{result.codes:,}",
            "x".join(map(str, result.levels)),
            result.psnr_text("tokenizer"),
            *(result.psnr_text(prediction) for prediction in PREDICTIONS),
            gain(result.action_gain(CHOSEN_BY, horizon)),
            "best"
            if result is best
            else gain(interval(best.by_episode(CHOSEN_BY, horizon) - result.by_episode(CHOSEN_BY, horizon))),
        ]
        for result in results
    ]
    header = ["codes", "levels", "tokenizer alone", *(TITLES[prediction] for prediction in PREDICTIONS)]
    header += [
        f"{TITLES[CHOSEN_BY]}: true above shuffled actions, {horizon} frames",
        f"{TITLES[CHOSEN_BY]}: best size above this size, {horizon} frames",
    ]
    document, n = first.document, first.document["n"]
    conditions = (
        f"Recordings of `{robot}`: {n['windows']} windows of {n['episodes']} held-out episodes. PSNR in dB at "
        f"{' / '.join(map(str, first.horizons))} frames. Copy last frame: {first.psnr_text('copy_last')}. Training "
        f"steps: tokenizer {document['tokenizer_steps']:,}, model {document['steps']:,}; one thread of "
        f"{document['machine']['cpu']}, one seed."
    )
    return f"{conditions}\n\n{table(header, rows)}"


def _require_same_conditions(one: CodebookResult, other: CodebookResult) -> None:
    """Raises BadConfig for different budgets or windows. Equal windows have an equal PSNR of the copied last frame."""
    differ = [key for key in _SAME_CONDITIONS if one.document[key] != other.document[key]]
    if not differ and one.document["psnr_db"]["copy_last"] != other.document["psnr_db"]["copy_last"]:
        differ = ["psnr_db"]
    if differ:
        raise BadConfig(
            f"Results for {one.codes:,} codes and for {other.codes:,} codes",
            expected="the same budgets and windows",
            got=f"different {', '.join(differ)}",
            remedy="Run one of them again with the settings and the store of the other.",
        )
