"""Tiny models of both families with equally many parameters: the flow model's width and that of its MLPs give way."""

import math
from collections.abc import Sequence
from pathlib import Path

import torch

from hwm_core.data.episodes.store import open_store
from hwm_core.errors import BadConfig
from hwm_core.tokenizers import build_tokenizer
from hwm_core.train.recipe import Recipe, read_recipe
from hwm_core.world_model.registry import build_model

PRESETS = {"masked": "tiny", "flow": "flow_tiny"}
SHARING = "model.unshared_depth=1"  # of 4 blocks, or `tiny` would share nothing: the paper's 4 are all it has


def overrides(
    family: str, variant: str, frame_size: tuple[int, int], action_dim: int, changes: Sequence[str] = ()
) -> list[str]:
    """What makes the family's preset this row of the comparison.

    Args:
        frame_size: height and width in pixels.
        changes: made to both families, before the sizes are compared.

    Raises BadConfig where no flow model is of the masked model's size.
    """
    row = [*changes, f"model.variant={variant}", SHARING]
    if family == "flow":
        wanted = parameters("masked", row, frame_size, action_dim)
        row += _as_many(row, wanted, frame_size, action_dim)
    return row


def overrides_for(family: str, variant: str, data: Path, changes: Sequence[str] = ()) -> list[str]:
    """`overrides` for the camera and the robot of a store."""
    store = open_store(data)
    actions = read_recipe(PRESETS[family], changes).data.actions
    size = (store.preprocessing.height, store.preprocessing.width)
    return overrides(family, variant, size, store.manifests[actions].dim, changes)


def recipe_of(family: str, variant: str, data: Path, changes: Sequence[str] = ()) -> Recipe:
    """Of a row of the comparison, for a store."""
    return read_recipe(PRESETS[family], overrides_for(family, variant, data, changes))


def parameters(family: str, row: Sequence[str], frame_size: tuple[int, int], action_dim: int) -> int:
    """Of the world model alone, frozen ones too, as the paper counts; nothing is allocated."""
    recipe = read_recipe(PRESETS[family], row)
    with torch.device("meta"):
        config = recipe.model_config_for(build_tokenizer(recipe.tokenizer), frame_size, action_dim)
        model = build_model(family, config.plain())
    return sum(parameter.numel() for parameter in model.parameters())


def _as_many(row: Sequence[str], wanted: int, frame_size: tuple[int, int], action_dim: int) -> list[str]:
    """The `dim` for which `wanted` parameters ask the least change of the preset's `mlp_ratio`; and that ratio."""
    preset = read_recipe(PRESETS["flow"], row).model
    step, found = 6 * preset["num_heads"], {}  # heads turn in three axes, by pairs of channels
    for dim in range(step * max(1, preset["dim"] // (2 * step)), 2 * preset["dim"], step):

        def count(ratio: int, dim: int = dim) -> int:
            return parameters("flow", [*row, f"model.dim={dim}", f"model.mlp_ratio={ratio}"], frame_size, action_dim)

        one = count(1)
        if one > wanted and dim > preset["dim"]:
            break
        hidden = dim + (wanted - one) / ((count(5) - one) / (4 * dim))  # the count is linear in it
        if hidden >= 8:
            found[dim] = (8 * round(hidden / 8) + 0.5) / dim  # half a channel, which is cut off, against rounding
    if not found:
        raise BadConfig(
            "size of the flow model",
            expected=f"{wanted:,} parameters, as many as the masked model has",
            got="no `model.dim` that allows them",
            remedy="Change the depth of one of the two.",
        )
    best = min(found, key=lambda dim: abs(math.log(found[dim] / preset["mlp_ratio"])))
    return [f"model.dim={best}", f"model.mlp_ratio={found[best]:.4f}"]
