"""The tables of docs/benchmarks.md, made from the results.

python -m benchmarks.page            write them
python -m benchmarks.page --check    exit status 1 where the page says anything else than the results
"""

import argparse
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from benchmarks.peer import table as peer_table
from benchmarks.record import RESULTS
from benchmarks.scale import table as scale_table
from benchmarks.tiny import table as tiny_table
from hwm_core.io.atomic import new_file

PAGE = Path(__file__).parent.parent / "docs" / "benchmarks.md"
TABLES: Mapping[str, Callable[[Path], str]] = {
    "scale": lambda results: scale_table.report(results / "scale"),
    "peer": lambda results: peer_table.report(results / "peer"),
    "tiny": lambda results: tiny_table.report(results / "tiny"),
}
"""By the name that stands in the page as <!-- table NAME -->, up to <!-- end -->."""


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--page", type=Path, default=PAGE, help="(%(default)s)")
    parser.add_argument("--results", type=Path, default=RESULTS, help="(%(default)s)")
    parser.add_argument("--check", action="store_true", help="write nothing")
    parsed = parser.parse_args(arguments)
    before = parsed.page.read_text()
    after = filled(before, parsed.results)
    if parsed.check:
        print("The page says what the results say." if after == before else "Run `python -m benchmarks.page`.")
        return int(after != before)
    with new_file(parsed.page) as partial:
        partial.write_text(after)
    return 0


def filled(page: str, results: Path) -> str:
    """The page with every table made anew."""

    def made(found: re.Match[str]) -> str:
        return f"{found[1]}\n\n{TABLES[found[2]](results)}\n\n{found[3]}"

    return re.sub(r"(<!-- table (\w+) -->).*?(<!-- end -->)", made, page, flags=re.DOTALL)


if __name__ == "__main__":
    sys.exit(main())
