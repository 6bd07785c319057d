"""Show what this machine has for hwm_ros and what it lacks, each lack with its remedy.

    hwm doctor

Exit status 0: everything that is required is here; 1: something required is missing.
"""

import argparse

from .arguments import Parser


def build_parser() -> argparse.ArgumentParser:
    return Parser(__doc__)


def run(options: argparse.Namespace) -> int:
    """Returns the exit status."""
    from ..doctor import diagnose, report

    return report(diagnose())
