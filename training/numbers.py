"""Whole numbers on a command line: argparse rejects those out of range."""

import argparse


def positive(text: str) -> int:
    """1 or more."""
    return _at_least(1, text)


def not_negative(text: str) -> int:
    """0 or more."""
    return _at_least(0, text)


def _at_least(least: int, text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = least - 1
    if number < least:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least {least}, got {text}")
    return number
