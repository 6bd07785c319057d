"""The GPU memory of a recipe: of a training step, and of scoring candidates."""

import argparse

from hwm_core.errors import BadConfig
from hwm_core.precision import precision_name
from hwm_core.train.recipe import read_recipe
from hwm_core.train.step_memory import precision_on_gpu, step_memory
from hwm_core.world_model.scoring_memory import scoring_memory


def account(options: argparse.Namespace) -> int:
    """Print the memory. Raises BadConfig if it exceeds the limit."""
    recipe = read_recipe(options.preset, options.overrides)
    train, batch = recipe.train, options.batch or recipe.train.batch_size
    step = step_memory(recipe, batch, options.gpus)
    micro = batch // (options.gpus * train.accumulation)
    print(
        f"Training step: {options.preset}, batch {batch} on {options.gpus} GPU{'s' * (options.gpus > 1)}, "
        f"{train.accumulation} x {micro} windows each, {precision_name(precision_on_gpu(train))}"
    )
    parts = {
        "weights": step.weights,
        "gradients": step.gradients,
        "optimiser": step.moments,
        "moving average": step.average,
        "activations": step.activations,
    }
    _print(parts, step.total)
    _require("the training step", step.total, options.limit_gb, _TRAINING_REMEDY)
    if options.candidates:
        scoring = scoring_memory(recipe.family, recipe.model, options.candidates)
        print(f"Scoring {options.candidates} candidates, {scoring.at_once} at once, one pass, bfloat16")
        _print({"weights": scoring.weights, "past": scoring.past, "rollout": scoring.rollout}, scoring.total)
        _require("scoring", scoring.total, options.limit_gb, "Lower the memory of the dynamics, or the model's size.")
    return 0


_TRAINING_REMEDY = "Raise train.accumulation or --gpus, or set train.activation_checkpointing=true (a third more time)."


def _print(parts: dict[str, int], total: int) -> None:
    for name, size in {**parts, "peak": total}.items():
        print(f"  {name:15}{size / 1e9:8.2f} GB")


def _require(what: str, size: int, limit_gb: float | None, remedy: str) -> None:
    if limit_gb is not None and size > limit_gb * 1e9:
        raise BadConfig(
            f"Memory of {what}", expected=f"at most {limit_gb:g} GB", got=f"{size / 1e9:.1f} GB", remedy=remedy
        )
