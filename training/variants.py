"""Print the table of the paper's eight models, from the code; write their parameter counts.

python -m training.variants --out benchmarks/results/variants.json
"""

import argparse
import json
from pathlib import Path

from hwm_core.io.atomic import write_text
from hwm_core.world_model.variants import markdown, parameters, summaries


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="also write {family: {variant: parameters}} to this JSON file")
    arguments = parser.parse_args()
    rows = summaries()
    print(markdown(rows), end="")
    if arguments.out:
        write_text(arguments.out, json.dumps(parameters(rows), indent=2) + "\n")


if __name__ == "__main__":
    main()
