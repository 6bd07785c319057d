"""The tables of docs/benchmarks.md."""

from benchmarks import page
from hwm_core.evaluation.closed_loop.record import EpisodeRecord
from hwm_core.evaluation.closed_loop.results import ResultsFile


def test_the_page_agrees_with_the_results():
    assert page.main(["--check"]) == 0


def test_a_page_that_differs_from_the_results_is_found_and_corrected(tmp_path):
    different = tmp_path / "benchmarks.md"
    different.write_text("text\n<!-- table peer -->\nour model is fastest\n<!-- end -->\nmore\n")
    options = ["--page", str(different), "--results", str(tmp_path)]
    assert page.main([*options, "--check"]) == 1
    assert page.main(options) == 0 and page.main([*options, "--check"]) == 0
    assert different.read_text() == "text\n<!-- table peer -->\n\nNot measured yet.\n\n<!-- end -->\nmore\n"


def test_the_tables_of_the_closed_loop_are_made_from_its_results(tmp_path):
    results = ResultsFile(tmp_path / "closed_loop.json", EpisodeRecord)
    results.open_row("hold", "holds still", {})
    record = EpisodeRecord(
        success=False, success_at_closest=False, errors=(0.2, 0.2), decisions=1, futures=0, decision_seconds=(0.0, 0.0)
    )
    results.add("hold", "reach", 1, record)
    assert "| reach | hold | 0 of 1, 0 % (0-79) |" in page.TABLES["closed_loop"](tmp_path)
    assert page.TABLES["ranking"](tmp_path) == "Not measured yet."
