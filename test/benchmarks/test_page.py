"""The tables of docs/benchmarks.md."""

from benchmarks import page


def test_the_page_agrees_with_the_results():
    assert page.main(["--check"]) == 0


def test_a_page_that_differs_from_the_results_is_found_and_corrected(tmp_path):
    different = tmp_path / "benchmarks.md"
    different.write_text("text\n<!-- table peer -->\nour model is fastest\n<!-- end -->\nmore\n")
    options = ["--page", str(different), "--results", str(tmp_path)]
    assert page.main([*options, "--check"]) == 1
    assert page.main(options) == 0 and page.main([*options, "--check"]) == 0
    assert different.read_text() == "text\n<!-- table peer -->\n\nNot measured yet.\n\n<!-- end -->\nmore\n"
