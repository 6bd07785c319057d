"""Write the tables of docs/benchmarks.md and docs/faults.md from the result files.

python -m benchmarks.page            write the tables
python -m benchmarks.page --check    exit status 1 if the tables of the page differ from the result files
"""

import argparse
import re
import sys
import textwrap
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from benchmarks import paper_tables
from benchmarks.closed_loop import table as closed_loop_table
from benchmarks.node import table as node_table
from benchmarks.peer import table as peer_table
from benchmarks.record import RESULTS
from benchmarks.scale import table as scale_table
from benchmarks.tiny import table as tiny_table
from benchmarks.token_models import table as token_models_table
from hwm_core.io.atomic import new_file

DOCS = Path(__file__).parent.parent / "docs"
PAGES = (DOCS / "benchmarks.md", DOCS / "faults.md")
TABLES: Mapping[str, Callable[[Path], str]] = {
    "scale": lambda results: scale_table.report(results / "scale"),
    "peer": lambda results: peer_table.report(results / "peer"),
    "closed_loop": lambda results: closed_loop_table.closed_loop(results / "closed_loop.json"),
    "ranking": lambda results: closed_loop_table.ranking(results / "ranking.json"),
    "paper_tables": lambda results: paper_tables.report(results / "paper_tables.json"),
    "token_models": lambda results: token_models_table.report(results / "token_models"),
    "tiny": lambda results: tiny_table.report(results / "tiny"),
    "node": lambda results: node_table.node_report(results / "node.json"),
    "soak": lambda results: node_table.soak_report(results / "soak.json"),
    "real_time": lambda results: node_table.real_time_report(results / "real_time.json"),
    "surprise": lambda results: node_table.surprise_report(results / "surprise.json"),
    "surprise_tiny": lambda results: node_table.surprise_report(results / "surprise_tiny.json"),
    "faults": lambda results: node_table.faults_report(results / "faults.json"),
}
"""A table goes between `<!-- table NAME -->` and `<!-- end -->` of a page."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line. Exit status 0: done; 1: `--check` found a difference."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--page", type=Path, nargs="+", default=PAGES, help="Markdown files with the tables")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the result files (%(default)s)")
    parser.add_argument("--check", action="store_true", help="write nothing")
    parsed = parser.parse_args(arguments)
    differ = False
    for page in parsed.page:
        before = page.read_text()
        after = filled(before, parsed.results)
        differ |= after != before
        if not parsed.check:
            with new_file(page) as partial:
                partial.write_text(after)
    if parsed.check:
        print("Run `python -m benchmarks.page`." if differ else "The pages agree with the results.")
    return int(parsed.check and differ)


def filled(page: str, results: Path) -> str:
    """The page with every table written from the result files."""

    def written(found: re.Match[str]) -> str:
        return f"{found[1]}\n\n{_wrapped(TABLES[found[2]](results))}\n\n{found[3]}"

    return re.sub(r"(<!-- table (\w+) -->).*?(<!-- end -->)", written, page, flags=re.DOTALL)


def _wrapped(text: str) -> str:
    """Break the lines of prose at 120 characters. The rows of a table stay whole."""
    lines = (
        line if line.startswith("|") else textwrap.fill(line, width=120, break_long_words=False, break_on_hyphens=False)
        for line in text.split("\n")
    )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
