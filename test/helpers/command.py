"""The command `hwm`, run in the process of the test."""

from training.main import main


def hwm(*words: object) -> int:
    """Run `hwm` with these words; returns its exit status. Errors of the arguments themselves raise SystemExit."""
    return main([str(word) for word in words])
