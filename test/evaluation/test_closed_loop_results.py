"""Results of the closed loop: kept by settings, and compared on the same seeds."""

import json

import pytest

from hwm_core.errors import BadBag, BadConfig
from hwm_core.evaluation.closed_loop.config import PlanningConfig
from hwm_core.evaluation.closed_loop.record import EpisodeRecord
from hwm_core.evaluation.closed_loop.results import ResultsFile
from hwm_core.evaluation.closed_loop.seed_list import SeedList
from hwm_core.evaluation.closed_loop.summary import compare, summarise, table


def record(final: float) -> EpisodeRecord:
    """An episode of `push` that comes within 3 cm and ends at `final` metres."""
    return EpisodeRecord(
        success=final < 0.04,
        success_at_closest=True,
        errors=(0.12, 0.03, final),
        decisions=2,
        futures=10,
        decision_seconds=(0.5, 0.7),
    )


def test_a_results_file_keeps_records_and_rejects_other_settings(tmp_path):
    path = tmp_path / "out.json"
    results = ResultsFile(path, EpisodeRecord)
    results.open_row("model", "learned", {"sha256": "a"})
    results.add("model", "push", 7, record(0.02))
    again = ResultsFile(path, EpisodeRecord)
    again.open_row("model", "learned", {"sha256": "a"})
    assert again.has("model", "push", 7)
    assert not again.has("model", "push", 8)
    assert again.records() == {"model": {"push": {7: record(0.02)}}}
    with pytest.raises(BadConfig, match=r"Row `model`.*sha256 b in place of a"):
        again.open_row("model", "learned", {"sha256": "b"})


def test_a_truncated_or_altered_results_file_is_rejected(tmp_path):
    path = tmp_path / "out.json"
    path.write_text('{"rows": ')
    with pytest.raises(BadBag, match="JSON"):
        ResultsFile(path, EpisodeRecord)
    path.write_text(json.dumps({"rows": {"hold": {"summary": "", "settings": {}, "tasks": {"look": {"1": {}}}}}}))
    with pytest.raises(BadConfig, match="hold, look, 1"):
        ResultsFile(path, EpisodeRecord).records()


def test_a_summary_tells_the_end_from_the_closest_approach():
    summary = summarise({seed: record(0.01 * seed) for seed in range(1, 9)})
    assert (summary.episodes, summary.successes, summary.successes_at_closest) == (8, 3, 8)
    assert summary.median_final == pytest.approx(0.045)
    assert summary.interval == pytest.approx((0.137, 0.694), abs=0.001)
    assert summary.futures == 5


def test_rows_are_compared_on_the_seeds_that_both_have():
    better = {seed: record(0.02) for seed in range(10)}
    worse = {seed: record(0.10) for seed in range(4, 14)}
    paired = compare(better, worse)
    assert paired.episodes == 6
    assert paired.difference == 1.0
    assert paired.p_value == pytest.approx(2 / 2**6)
    assert paired.final.high == pytest.approx(-0.08)
    assert compare(better, {}) is None


def test_the_table_has_a_line_for_each_task_and_row_and_compares_with_the_main_row():
    results = {
        "model": {"push": {s: record(0.02) for s in range(6)}},
        "hold": {"push": {s: record(0.12) for s in range(6)}},
    }
    lines = table(results, "model").splitlines()
    assert len(lines) == 4
    assert "| push | model | 6 of 6, 100 % (61-100) | 6 | 2.0 cm | 5 | 0.50 | | |" in lines
    assert lines[3].startswith("| push | hold | 0 of 6, 0 % (0-39)")
    assert lines[3].endswith("0.0312 | 10.0 cm (10.0 cm to 10.0 cm) |")


def test_settings_of_a_task_change_the_common_settings():
    config = PlanningConfig.parse({"max_velocity": 2.0, "tasks": {"push": {"search": {"knots": 3}}}})
    push, reach = config.of_task("push"), config.of_task("reach")
    assert (push.search.knots, reach.search.knots, push.max_velocity) == (3, 2, 2.0)
    assert (push.strokes, reach.strokes) == (True, False), "in the goal of a reach no object moves"
    with pytest.raises(BadConfig, match="names among look, reach, push"):
        PlanningConfig.parse({"tasks": {"pull": {}}})
    with pytest.raises(BadConfig, match="task push"):
        PlanningConfig.parse({"tasks": {"push": {"serch": {}}}}).of_task("push")


def test_a_seed_list_that_is_too_short_is_rejected():
    seeds = SeedList(mujoco="3", closed_loop={"look": (1, 2)}, development={})
    assert seeds.first("closed_loop", "look", None) == (1, 2)
    assert seeds.first("closed_loop", "look", 1) == (1,)
    with pytest.raises(BadConfig, match="at least 3, got 2"):
        seeds.first("closed_loop", "look", 3)
    with pytest.raises(BadConfig, match="hwm bench seeds"):
        seeds.first("development", "look", None)
