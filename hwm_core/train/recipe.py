"""A recipe: all settings of a training run, from a YAML file and `key=value` overrides."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import Field, model_validator

from hwm_core.config import Config, overridden, read_yaml
from hwm_core.data.episodes.augment import Augmentation
from hwm_core.data.tokens.tokenizer_spec import TokenizerSpec
from hwm_core.errors import BadConfig, did_you_mean
from hwm_core.io.atomic import write_text
from hwm_core.models.config import WorldModelConfig
from hwm_core.tokenizers import VideoTokenizer
from hwm_core.tokenizers.causal import CausalTokenizerConfig
from hwm_core.tokenizers.continuous import ContinuousTokenizerConfig
from hwm_core.train.config import TrainingConfig
from hwm_core.train.presets import preset_names, presets_folder
from hwm_core.world_model.registry import family


class DataConfig(Config):
    """Training windows and their augmentation."""

    actions: Literal["states", "commands"] = Field(
        default="commands", description="recorded joint values that are the model's actions"
    )
    closures: Literal["normalised", "as_recorded"] = Field(
        default="normalised",
        description="hand closures of the embodiment: normalised like all joints, or left as they are (the paper)",
    )
    stride: int = Field(default=1, gt=0, description="frames between the starts of neighbouring training windows")
    validation_windows: int = Field(default=128, gt=0, description="held-out windows per evaluation")
    augmentation: Augmentation = Augmentation()


class Recipe(Config):
    """The sections of a preset."""

    family: str = "masked"
    data: DataConfig = DataConfig()
    tokenizer: Annotated[CausalTokenizerConfig | ContinuousTokenizerConfig, Field(discriminator="kind")] | None = None
    train_tokenizer: TrainingConfig | None = None  # both are None where the tokenizer is a download
    model: dict[str, Any]  # keys of the family's configuration; keys that tokenizer and data decide are optional
    train: TrainingConfig
    tune_decoder: TrainingConfig | None = None

    @model_validator(mode="after")
    def _tokenizer_has_a_training(self) -> "Recipe":
        if (self.tokenizer is None) != (self.train_tokenizer is None):
            raise ValueError("both `tokenizer` and `train_tokenizer`, or neither where the tokenizer is a download")
        return self

    @property
    def trained_tokenizer(self) -> CausalTokenizerConfig | ContinuousTokenizerConfig:
        """The tokenizer that is trained with the model. Raises BadConfig for a recipe with a downloaded one."""
        if self.tokenizer is None:
            raise BadConfig(
                "recipe",
                expected="sections `tokenizer` and `train_tokenizer`",
                got="none: its tokenizer is a download",
                remedy="Give the folder of the download to hwm train, as --tokenizer.",
            )
        return self.tokenizer

    @property
    def num_latents(self) -> int:
        """Past and future latents of a window."""
        config = family(self.family).config.parse(self.model, where="model")
        return config.num_past_latents + config.num_future_latents

    def over_base(self, settings: Mapping[str, Any]) -> "Recipe":
        """The recipe, completed with what a pretrained network decides of the model.

        Raises BadConfig for a value that contradicts the pretrained network.
        """
        model = self._completed(settings, "the pretrained network", "give another --base")
        return self.model_copy(update={"model": model})

    def _completed(self, decided: Mapping[str, Any], source: str, otherwise: str) -> dict[str, Any]:
        """The settings of the model with those that `source` decides. Raises BadConfig where they contradict."""
        for key, value in decided.items():
            if self.model.get(key, value) != value:
                raise BadConfig(
                    f"model: key `{key}`",
                    expected=f"{value}, the value of {source}",
                    got=self.model[key],
                    remedy=f"Remove the key, or {otherwise}.",
                )
        return {**self.model, **decided}

    def require_frame_size(self, frame_size: tuple[int, int], spatial_factor: int, where: str) -> None:
        """Raises BadConfig where the model's grid, if the recipe states it, needs frames of another size.

        Args:
            frame_size: height and width of the frames of the data.
            spatial_factor: of the tokenizer.
            where: the data.
        """
        grid = self.model.get("grid")
        if not grid:
            return
        wanted = tuple(cells * spatial_factor for cells in grid)
        if wanted != frame_size:
            fitting = ",".join(str(size // spatial_factor) for size in frame_size)
            raise BadConfig(
                f"Data {where}",
                expected=f"frames of {wanted[1]}x{wanted[0]} px, for the grid {list(grid)} of the recipe's model",
                got=f"frames of {frame_size[1]}x{frame_size[0]} px",
                remedy=f"Prepare the recordings with --size {wanted[0]}, choose a preset for this size, or set "
                f"model.grid=[{fitting}].",
            )

    def model_config_for(
        self, tokenizer: VideoTokenizer | TokenizerSpec, frame_size: tuple[int, int], action_dim: int
    ) -> WorldModelConfig:
        """The model's configuration, completed with the sizes of tokenizer and data.

        Args:
            tokenizer: the tokenizer, or its specification.
            frame_size: height and width in pixels.

        Raises:
            BadConfig: an unknown key, or a value that contradicts the tokenizer or the data.
        """
        family(self.family).check_tokenizer(tokenizer)
        (height, width), codes = frame_size, family(self.family).codes_field
        of_codes = getattr(tokenizer, codes)
        decided = {
            codes: list(of_codes) if isinstance(of_codes, tuple) else of_codes,
            "grid": [height // tokenizer.spatial_factor, width // tokenizer.spatial_factor],
            "temporal_factor": tokenizer.temporal_factor,
            "action_dim": action_dim,
        }
        model = self._completed(decided, "tokenizer and data", "use another tokenizer or data set")
        return family(self.family).config.parse(model, where="model")


def read_recipe(preset: str, overrides: Sequence[str] = ()) -> Recipe:
    """A shipped preset by name, or a YAML file by path, with `section.key=value` overrides (values are YAML).

    Raises:
        BadConfig: no such preset, an unknown key (with a suggestion), or a value out of range.
    """
    if preset.endswith((".yaml", ".yml")):
        mapping = read_yaml(preset)
    elif preset in preset_names():
        mapping = yaml.safe_load(presets_folder().joinpath(f"{preset}.yaml").read_text())
    else:
        raise BadConfig(
            "preset",
            expected=f"{', '.join(preset_names())}, or a .yaml file",
            got=f"`{preset}`",
            remedy=did_you_mean(preset, preset_names(), "Use one of these."),
        )
    recipe = Recipe.parse(overridden(mapping, overrides), where=preset)
    family(recipe.family).config.parse(recipe.model, where=f"{preset}: model")
    return recipe


def write_recipe(path: Path, recipe: Recipe) -> None:
    """Write a recipe for `read_recipe`, atomically."""
    write_text(path, yaml.safe_dump(recipe.plain(), sort_keys=False, default_flow_style=None, width=120))
