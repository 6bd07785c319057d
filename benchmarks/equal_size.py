"""Tiny models of both families with equally many parameters: the width of the flow model's MLPs is what gives way."""

from collections.abc import Sequence
from typing import Any

import torch

from hwm_core.families import build_model
from hwm_core.tokenizers import build_tokenizer
from hwm_core.train.recipe import read_recipe

PRESETS = {"masked": "tiny", "flow": "flow_tiny"}
SHARING = "model.unshared_depth=1"  # of 4 blocks, or `tiny` would share nothing: the paper's 4 are all it has


def overrides(
    family: str, variant: str, frame_size: tuple[int, int], action_dim: int, changes: Sequence[str] = ()
) -> list[str]:
    """What makes the family's preset this row of the comparison.

    Args:
        frame_size: height and width in pixels.
        changes: made to both families, before the sizes are compared.
    """
    row = [*changes, f"model.variant={variant}", SHARING]
    if family == "flow":
        wanted = parameters("masked", row, frame_size, action_dim)
        row.append(f"model.mlp_ratio={_mlp_ratio(row, wanted, frame_size, action_dim)}")
    return row


def parameters(family: str, row: Sequence[str], frame_size: tuple[int, int], action_dim: int) -> int:
    """Of the world model alone, frozen ones too, as the paper counts; nothing is allocated."""
    recipe = read_recipe(PRESETS[family], row)
    with torch.device("meta"):
        config = recipe.model_config_for(build_tokenizer(recipe.tokenizer), frame_size, action_dim)
        model = build_model(family, config.plain())
    return sum(parameter.numel() for parameter in model.parameters())


def _mlp_ratio(row: Sequence[str], wanted: int, frame_size: tuple[int, int], action_dim: int) -> float:
    """The count is linear in the MLPs' hidden width, so two counts give it."""
    dim: Any = read_recipe(PRESETS["flow"], row).model["dim"]
    low, high = 1, 5

    def count(ratio: float) -> int:
        return parameters("flow", [*row, f"model.mlp_ratio={ratio}"], frame_size, action_dim)

    slope = (count(high) - count(low)) / ((high - low) * dim)
    hidden = round((low * dim + (wanted - count(low)) / slope) / 8) * 8
    return round((hidden + 0.5) / dim, 4)  # half a channel more, which the model cuts off, against rounding
