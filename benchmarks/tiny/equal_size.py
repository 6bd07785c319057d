"""Recipes of tiny models of both families with equal parameter counts.

The flow model's `dim` and `mlp_ratio` are adapted to the size of the masked model.
"""

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
# The paper leaves the first 4 blocks unshared. `tiny` has only 4 blocks, so all variants would be equal.
SHARING = "model.unshared_depth=1"


def overrides(
    family: str, variant: str, frame_size: tuple[int, int], action_dim: int, changes: Sequence[str] = ()
) -> list[str]:
    """The overrides that turn the family's preset into one model of the comparison.

    Args:
        frame_size: height and width in pixels.
        changes: overrides for both families, applied before the sizes are matched.

    Raises BadConfig if no flow model has the size of the masked model.
    """
    model = [*changes, f"model.variant={variant}", SHARING]
    if family == "flow":
        target = parameters("masked", model, frame_size, action_dim)
        model += _matching_size(model, target, frame_size, action_dim)
    return model


def overrides_for(family: str, variant: str, data: Path, changes: Sequence[str] = ()) -> list[str]:
    """`overrides` for the camera and the robot of an episode store."""
    store = open_store(data)
    actions = read_recipe(PRESETS[family], changes).data.actions
    size = (store.preprocessing.height, store.preprocessing.width)
    return overrides(family, variant, size, store.manifests[actions].dim, changes)


def recipe_of(family: str, variant: str, data: Path, changes: Sequence[str] = ()) -> Recipe:
    """The recipe of one model of the comparison, for an episode store."""
    return read_recipe(PRESETS[family], overrides_for(family, variant, data, changes))


def parameters(family: str, model: Sequence[str], frame_size: tuple[int, int], action_dim: int) -> int:
    """Parameters of the world model without its tokenizer, frozen ones included, as the paper counts.

    The model is built on the meta device, without memory for its weights.
    """
    recipe = read_recipe(PRESETS[family], model)
    with torch.device("meta"):
        config = recipe.model_config_for(build_tokenizer(recipe.trained_tokenizer), frame_size, action_dim)
        network = build_model(family, config.plain())
    return sum(parameter.numel() for parameter in network.parameters())


def _matching_size(model: Sequence[str], target: int, frame_size: tuple[int, int], action_dim: int) -> list[str]:
    """The `dim` and `mlp_ratio` that give `target` parameters, with the `mlp_ratio` closest to the preset's."""
    preset = read_recipe(PRESETS["flow"], model).model
    step, found = 6 * preset["num_heads"], {}  # RoPE rotates pairs of channels along three axes
    for dim in range(step * max(1, preset["dim"] // (2 * step)), 2 * preset["dim"], step):

        def count(ratio: int, dim: int = dim) -> int:
            return parameters("flow", [*model, f"model.dim={dim}", f"model.mlp_ratio={ratio}"], frame_size, action_dim)

        smallest = count(1)
        if smallest > target and dim > preset["dim"]:
            break
        # The count is linear in the hidden width of the MLPs.
        hidden = dim + (target - smallest) / ((count(5) - smallest) / (4 * dim))
        if hidden >= 8:
            # A multiple of 8; the half channel is cut off and protects against rounding down.
            found[dim] = (8 * round(hidden / 8) + 0.5) / dim
    if not found:
        raise BadConfig(
            "size of the flow model",
            expected=f"{target:,} parameters, as many as the masked model has",
            got="no `model.dim` with this size",
            remedy="Change the depth of one of the two models.",
        )
    best = min(found, key=lambda dim: abs(math.log(found[dim] / preset["mlp_ratio"])))
    return [f"model.dim={best}", f"model.mlp_ratio={found[best]:.4f}"]
