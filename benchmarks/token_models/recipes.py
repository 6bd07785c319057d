"""Recipes of a masked model and an ST-Transformer of equal size, for one token set."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from hwm_core.config import overridden
from hwm_core.data.tokens.tokenizer_spec import TokenizerSpec
from hwm_core.train.recipe import Recipe, read_recipe
from hwm_core.world_model.registry import build_model

PRESET = "tiny"  # data, tokenizer and training are those of this preset, for both models
_BOTH: Mapping[str, Any] = {
    "dim": 192,
    "num_heads": 3,
    "dropout": 0.0,
    "final_norm": True,
    "init": "fan_in",
    "vocabulary": "factorised",
    "patch": 2,
    "num_past_latents": 3,
    "num_future_latents": 3,
    "action_dropout": 0.15,
}
MODELS: Mapping[str, Mapping[str, Any]] = {
    "masked": {"variant": "split", "depth": 4, "max_corruption_rate": 0.05, "full_mask_rate": 0.8},
    "st_transformer": {"depth": 6},  # a block has two thirds of the weights of a masked `split` block
}
"""{family: the settings of its model}. The rest is equal, but for the `mlp_ratio` of the ST-Transformer."""


def recipe_of(
    family: str, spec: TokenizerSpec, frame_size: tuple[int, int], action_dim: int, changes: Sequence[str] = ()
) -> Recipe:
    """The recipe of one model; both have the same number of parameters, within 1 %.

    Args:
        spec: the tokenizer of the token set.
        frame_size: height and width in pixels.
        changes: overrides for both families, applied before the sizes are matched.
    """
    recipe = _recipe(family, 4.0, changes)
    if family == "masked":
        return recipe
    target = _parameters(_recipe("masked", 4.0, changes), spec, frame_size, action_dim)
    one, two = (_parameters(_recipe(family, ratio, changes), spec, frame_size, action_dim) for ratio in (4.0, 5.0))
    return _recipe(family, round(4.0 + (target - one) / (two - one), 3), changes)  # the count is linear in the ratio


def _recipe(family: str, mlp_ratio: float, changes: Sequence[str]) -> Recipe:
    mapping = read_recipe(PRESET).plain()
    mapping |= {"family": family, "model": {**_BOTH, **MODELS[family], "mlp_ratio": mlp_ratio}}
    mapping["train"] |= {"steps": None, "clock": "processor", "evaluate_every": 1_000_000}
    mapping["train"]["max_minutes"] = 8.0
    return Recipe.parse(overridden(mapping, changes), where=family)


def _parameters(recipe: Recipe, spec: TokenizerSpec, frame_size: tuple[int, int], action_dim: int) -> int:
    with torch.device("meta"):
        network = build_model(recipe.family, recipe.model_config_for(spec, frame_size, action_dim).plain())
    return sum(parameter.numel() for parameter in network.parameters())
