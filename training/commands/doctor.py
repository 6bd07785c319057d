"""Check this machine for hwm_ros, and print a remedy for each missing item.

    hwm doctor

Exit status 0: all required items are found; 1: a required item is missing.
"""

import argparse

from .arguments import Parser


def build_parser() -> argparse.ArgumentParser:
    return Parser(__doc__)


def run(options: argparse.Namespace) -> int:
    """Returns the exit status."""
    from ..doctor import diagnose, report

    return report(diagnose())
