"""The tables of the closed loop and of the ranking, from what `hwm bench` wrote."""

from pathlib import Path

from benchmarks.tables import NOT_MEASURED
from hwm_core.evaluation.closed_loop.ranking_record import RankingRecord
from hwm_core.evaluation.closed_loop.ranking_table import ranking_table
from hwm_core.evaluation.closed_loop.record import EpisodeRecord
from hwm_core.evaluation.closed_loop.results import ResultsFile
from hwm_core.evaluation.closed_loop.summary import table


def closed_loop(path: Path, main: str = "model") -> str:
    """Success, errors and paired tests of every row; `path` is the --out of `hwm bench closed-loop`."""
    return table(ResultsFile(path, EpisodeRecord).records(), main) if path.exists() else NOT_MEASURED


def ranking(path: Path) -> str:
    """Agreement of costs with outcomes; `path` is the --out of `hwm bench ranking`."""
    return ranking_table(ResultsFile(path, RankingRecord).records()) if path.exists() else NOT_MEASURED
