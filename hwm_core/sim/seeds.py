"""Seeds of simulated episodes, far apart, so that no two uses share an episode."""

from collections.abc import Mapping

FIRST_SEED: Mapping[str, int] = {
    "train": 0,
    "val": 1_000_000,
    "held_out": 2_000_000,
    "closed_loop": 2_300_000,
    "development": 2_400_000,
}
"""The first seed of each use: recordings for training and validation, episodes of evaluations, tasks of the final
closed-loop table (used for nothing else), and tasks on which planners and baselines are tuned."""

SEEDS_OF_MOTION: Mapping[str, int] = {"random": 0, "skills": 400_000, "planner": 600_000}
"""What is added for recordings of a motion, so that two motions share no scene."""
