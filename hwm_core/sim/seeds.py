"""Seeds of simulated episodes, far apart, so that no two uses share an episode."""

from collections.abc import Mapping

FIRST_SEED: Mapping[str, int] = {"train": 0, "val": 1_000_000, "held_out": 2_000_000}
"""The first seed of the recordings for training and validation, and of the episodes of evaluations."""
