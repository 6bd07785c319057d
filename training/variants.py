"""Print the table of the paper's eight models, from the code; with --out also write their parameter counts."""

import argparse
import json

from hwm_core.io.atomic import write_text
from hwm_core.world_model.variants import markdown, parameters, summaries


def print_variants(options: argparse.Namespace) -> int:
    """Print the table and write the file."""
    found = summaries()
    print(markdown(found), end="")
    if options.out:
        write_text(options.out, json.dumps(parameters(found), indent=2) + "\n")
    return 0
