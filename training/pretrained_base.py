"""The pretrained network of a recipe: its files, what they decide of the recipe, and the memory that it needs."""

from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from hwm_core.errors import BadConfig
from hwm_core.models.network import WorldModelNetwork
from hwm_core.models.wan import WanWorldModel
from hwm_core.models.wan_base import TRANSFORMER, prompt_embedding, settings_of
from hwm_core.models.wan_config import WanConfig
from hwm_core.models.wan_memory import require_training_memory
from hwm_core.train.ranks import Ranks
from hwm_core.train.recipe import Recipe
from hwm_core.world_model.registry import family

from .run import Run


@dataclass(frozen=True)
class Base:
    """A pretrained network."""

    folder: Path
    recipe: Recipe  # completed with what the files decide
    prompt: Tensor | None  # [L, text_dim] the embedded empty prompt, for a new model

    def prepare(self, model: WorldModelNetwork, recipe: Recipe, ranks: Ranks) -> None:
        """Set the prompt of a new model. Raises BadConfig where a step does not fit the memory of the device."""
        assert isinstance(model, WanWorldModel)
        if self.prompt is not None:
            model.prompt.copy_(self.prompt)
        settings = recipe.train
        require_training_memory(
            model.config,
            ranks.micro_batch_size(settings.batch_size, settings.accumulation),
            ranks.device,
            recomputed=settings.activation_checkpointing,
            shards=ranks.size if settings.parallel == "fsdp" else 1,
        )


def open_base(run: Run, pipeline: Path | None, *, fresh: bool) -> Base:
    """The pretrained network of a run.

    Args:
        pipeline: folder of a diffusers pipeline.
        fresh: whether the model starts from the pretrained network, not from a checkpoint or a state.

    Raises:
        BadConfig: no folder, or one that contradicts the recipe.
        BadCheckpoint: the folder lacks files.
    """
    recipe = run.recipe
    if not family(recipe.family).pretrained:
        raise BadConfig(
            "--base", expected="none", got=pipeline, remedy=f"The family `{recipe.family}` has no pretrained network."
        )
    if pipeline is None:
        raise BadConfig(
            "--base",
            expected="the folder of Wan2.2-TI2V-5B in the format of diffusers",
            got="none",
            remedy="Add --base; docs/models.md says what the folder contains.",
        )
    settings = settings_of(pipeline / TRANSFORMER)
    if not fresh:
        return Base(pipeline / TRANSFORMER, recipe.over_base(settings), None)
    length = WanConfig.parse({**recipe.model, **settings}, where="model").text_length
    prompt = prompt_embedding(pipeline, length, run.device)
    settings["prompt_tokens"] = len(prompt)
    return Base(pipeline / TRANSFORMER, recipe.over_base(settings), prompt)
