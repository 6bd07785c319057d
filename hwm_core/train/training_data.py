"""The data that a world model is trained on: windows of frames from a store, or of tokens from token sets."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch.utils.data import Dataset

from hwm_core.data.batches import FrameBatch, TokenBatch
from hwm_core.data.episodes.store import Store, open_store
from hwm_core.data.episodes.windows import Windows
from hwm_core.data.recording.preprocessing import Preprocessing
from hwm_core.data.robot.embodiment import closures_of
from hwm_core.data.robot.manifest import ActionManifest
from hwm_core.data.tokens.store import TokenStore, is_token_store, manifest_sha256, open_token_store
from hwm_core.data.tokens.tokenizer_spec import TokenizerSpec, spec_of
from hwm_core.data.tokens.windows import TokenWindows
from hwm_core.errors import BadConfig
from hwm_core.models.config import WorldModelConfig
from hwm_core.tokenizers import VideoTokenizer
from hwm_core.train.data_identity import episodes_sha256
from hwm_core.train.recipe import Recipe
from hwm_core.train.validation import fixed_batches


@dataclass(frozen=True)
class TrainingData:
    """Windows for training and validation, and the parts of a checkpoint that the data decide."""

    windows: Dataset[Any]  # each item one window of a FrameBatch or a TokenBatch
    held_out: list[FrameBatch] | list[TokenBatch]  # the same validation windows at every evaluation
    config: WorldModelConfig  # the recipe's, completed with the sizes of tokenizer and data
    tokenizer_spec: TokenizerSpec
    manifest: ActionManifest
    preprocessing: Preprocessing
    episodes: str  # `episodes_sha256` of the training episodes

    def identity(self) -> dict[str, Any]:
        """What must stay the same when a run is resumed, as plain YAML types."""
        return {
            "tokenizer_spec": self.tokenizer_spec.plain(),
            "manifest": manifest_sha256(self.manifest),
            "preprocessing": self.preprocessing.plain(),
            "episodes": self.episodes,
            "windows": len(self.windows),  # type: ignore[arg-type]
        }


def open_training_data(path: Path, recipe: Recipe, tokenizer: VideoTokenizer | None) -> TrainingData:
    """Open the store or token sets at `path`, and cut windows for the recipe's model.

    Args:
        tokenizer: the model's tokenizer; may be None for tokens that were made elsewhere.

    Raises:
        BadBag: the data are absent or damaged.
        BadConfig: data, recipe and tokenizer do not fit each other.
    """
    data: Store | TokenStore = open_token_store(path) if is_token_store(path) else open_store(path)
    if (manifest := data.manifests.get(recipe.data.actions)) is None:
        raise BadConfig(
            "data: key `actions`",
            expected=" or ".join(data.manifests) or "a store with a manifest",
            got=f"`{recipe.data.actions}`, which {path} lacks",
            remedy="Choose the kind that was recorded, or prepare the data again.",
        )
    if recipe.data.closures == "as_recorded":
        manifest = manifest.as_recorded(closures_of(manifest.robot))
    spec = _tokenizer_spec(path, data, tokenizer)
    size = (data.preprocessing.height, data.preprocessing.width)
    recipe.require_frame_size(size, spec.spatial_factor, str(path))
    config = recipe.model_config_for(spec, size, manifest.dim)
    count = recipe.data.validation_windows
    if isinstance(data, Store):
        lengths = (config.past_frames, config.future_frames)
        windows: Dataset[Any] = Windows(data.training, manifest, *lengths, stride=recipe.data.stride)
        held_out: list[FrameBatch] | list[TokenBatch] = fixed_batches(
            Windows(data.validation, manifest, *lengths), count
        )
    else:
        _reject_image_augmentation(path, recipe)
        stride = -(-recipe.data.stride // data.stride)  # in clips
        windows = TokenWindows(data.training, manifest, stride=stride, latents=config.num_latents)
        held_out = fixed_batches(TokenWindows(data.validation, manifest, latents=config.num_latents), count)
    return TrainingData(
        windows, held_out, config, spec, manifest, data.preprocessing, episodes=episodes_sha256(data.training)
    )


def _tokenizer_spec(path: Path, data: Store | TokenStore, tokenizer: VideoTokenizer | None) -> TokenizerSpec:
    """The given tokenizer's, which must have made the tokens; without a tokenizer, the tokens'."""
    if isinstance(data, TokenStore):
        if tokenizer is not None:
            spec_of(tokenizer).require(data.tokenizer, where=str(path))
            return spec_of(tokenizer)
        if data.tokenizer.sha256 is None:  # no tokenizer of hwm made them
            return data.tokenizer
    elif tokenizer is not None:
        return spec_of(tokenizer)
    raise BadConfig(
        "--tokenizer",
        expected="the folder of the tokenizer whose codes the model predicts",
        got="none",
        remedy="Give the output of hwm train-tokenizer; only tokens made elsewhere need no tokenizer.",
    )


def _reject_image_augmentation(path: Path, recipe: Recipe) -> None:
    keys = [key for key in ("shift", "colour") if getattr(recipe.data.augmentation, key)]
    if keys:
        raise BadConfig(
            "data: key `augmentation`",
            expected=f"{' and '.join(f'{key} 0' for key in keys)}: {path} holds tokens, which cannot be augmented so",
            got=", ".join(f"{key} {getattr(recipe.data.augmentation, key)}" for key in keys),
            remedy=f"Add {' '.join(f'data.augmentation.{key}=0' for key in keys)}, or train on the store itself.",
        )
