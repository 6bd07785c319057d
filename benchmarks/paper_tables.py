"""The tables of `hwm paper-tables` for docs/benchmarks.md.

    python -m benchmarks.paper_tables runs/paper_tiny

reads RUN/tables.json and writes benchmarks/results/paper_tables.json.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.record import RESULTS, command_line, write_result
from benchmarks.tables import NOT_MEASURED
from hwm_core.errors import BadInput
from hwm_core.io.json_files import read_json
from training.paper_tables import tables


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line. Exit status 0: done; 2: bad input."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="folder that `hwm paper-tables` wrote")
    parser.add_argument("--out", type=Path, default=RESULTS / "paper_tables.json", help="result file (%(default)s)")
    parsed = parser.parse_args(words)
    try:
        found = read_json(parsed.run / "tables.json", "Run `hwm paper-tables`, and let it end.")
    except BadInput as error:
        parser.error(str(error))
    first = found["rows"][0]
    n = {"models": len(found["rows"]), "windows": first["windows"], "episodes": first["episodes"], "seeds": 1}
    write_result(parsed.out, command=command_line("benchmarks.paper_tables", words), n=n, numbers=found)
    print(report(parsed.out))
    return 0


def report(path: Path) -> str:
    """Markdown: the conditions, and a table for each family."""
    if not path.exists():
        return NOT_MEASURED
    found = json.loads(path.read_text())
    n, budget = found["n"], found["minutes"]
    trained = f"{budget:g} processor minutes" if budget else "the budget of the preset"
    changes = f", with {', '.join(f'`{one}`' for one in found['changes'])}" if found["changes"] else ""
    conditions = (
        f"Scale `{found['scale']}`, training of each model: {trained}{changes}. {n['windows']} windows of "
        f"{n['episodes']} held-out episodes, 1 seed, {found['machine']['cpu']}, 1 thread, {found['date']}. Intervals: "
        "95 %, bootstrap over episodes. PSNR and SSIM are means over the 8 predicted frames."
    )
    return f"{conditions}\n\n{tables(found['rows']).strip()}"


if __name__ == "__main__":
    sys.exit(main())
