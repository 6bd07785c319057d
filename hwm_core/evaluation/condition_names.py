"""The names of the conditions of an evaluation, their titles, and the conditions that each is compared with."""

import re
from collections.abc import Iterable
from typing import Literal, get_args

ConditionName = Literal["model", "shuffled", "none", "zero", "reversed", "mean_prediction", "copy_last", "tokenizer"]
CONDITION_NAMES: tuple[ConditionName, ...] = get_args(ConditionName)
"""The names that a configuration can list. `--samples N` adds `single` and `mean_of_N`."""

PREDICTED = ("model", "shuffled", "none", "zero", "reversed")
"""Conditions that are predicted with the `sampling` of the configuration."""

DELTA_PSNR = ("shuffled", "none")
"""Delta-PSNR compares the model with these conditions."""

_TITLES = {
    "model": "model",
    "shuffled": "shuffled actions",
    "none": "no actions",
    "zero": "no motion",
    "reversed": "reversed motion",
    "mean_prediction": "mean prediction",
    "copy_last": "copy last frame",
    "tokenizer": "tokenizer alone",
    "single": "single sample",
}

_EXPLAINED = {
    "model": "prediction, true actions",
    "shuffled": "prediction, shuffled actions",
    "none": "prediction, no actions",
    "zero": "prediction, no motion",
    "reversed": "prediction, reversed motion",
    "mean_prediction": "mean prediction, true actions",
    "tokenizer": "tokenizer alone: the ceiling",
}


def title(condition: str) -> str:
    """The title of the condition, for tables."""
    return _TITLES.get(condition) or re.sub(r"mean_of_(\d+)", r"mean of \1 samples", condition).replace("_", " ")


def explained(condition: str) -> str:
    """A title that explains the condition, for charts."""
    return _EXPLAINED.get(condition, title(condition))


def mean_of(samples: int) -> str:
    """The name of the condition that averages this number of samples."""
    return f"mean_of_{samples}"


def is_sampled(condition: str) -> bool:
    """Whether the condition is `single` or `mean_of_N`."""
    return condition == "single" or condition.startswith("mean_of_")


def references(conditions: Iterable[str]) -> dict[str, list[str]]:
    """{condition: the conditions that it is compared with}.

    The model is compared with all conditions except samples. Samples are compared with `copy_last` and the model; a
    mean of samples is also compared with the single sample.
    """
    present = list(conditions)
    found: dict[str, list[str]] = {"model": [name for name in CONDITION_NAMES if name in present and name != "model"]}
    for name in filter(is_sampled, present):
        found[name] = ["copy_last", "model"] if name == "single" else ["copy_last", "model", "single"]
    return found
