"""What a world model is trained on: windows of pictures from a store, or of codes from a folder of token sets."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch.utils.data import Dataset

from hwm_core.data.batches import FrameBatch, TokenBatch
from hwm_core.data.episodes.store import Store, open_store
from hwm_core.data.episodes.windows import Windows
from hwm_core.data.recording.preprocessing import Preprocessing
from hwm_core.data.robot.manifest import ActionManifest
from hwm_core.data.tokens.episodes import TokenWindows
from hwm_core.data.tokens.store import TokenStore, is_token_store, manifest_sha256, open_token_store
from hwm_core.data.tokens.tokenizer_spec import TokenizerSpec, spec_of
from hwm_core.errors import BadConfig
from hwm_core.tokenizers import VideoTokenizer
from hwm_core.train.recipe import Recipe
from hwm_core.train.validation import fixed_batches


@dataclass(frozen=True)
class TrainingData:
    """Windows, and what they decide of the model."""

    windows: Dataset[Any]  # each a FrameBatch or a TokenBatch without B
    episodes: str  # a sum over the names and lengths of those that windows are of
    held_out: list[FrameBatch] | list[TokenBatch]  # the same windows at every evaluation
    config: Any  # of the family: the recipe's, with what tokenizer and data decide
    codes: TokenizerSpec  # of the tokenizer, at hand or not
    manifest: ActionManifest
    preprocessing: Preprocessing

    def identity(self) -> dict[str, Any]:
        """What a run, or a checkpoint, must not go on with another one of; plain YAML types."""
        return {
            "codes": self.codes.plain(),
            "manifest": manifest_sha256(self.manifest),
            "preprocessing": self.preprocessing.plain(),
            "episodes": self.episodes,
            "windows": len(self.windows),  # type: ignore[arg-type]
        }


def identity_of_store(store: Store) -> dict[str, Any]:
    """The same of a whole store: every manifest of its robot, its camera, and what is trained on."""
    return {
        "episodes": episodes_sha256(store.training),
        "manifests": {kind: manifest_sha256(manifest) for kind, manifest in store.manifests.items()},
        "preprocessing": store.preprocessing.plain(),
    }


def episodes_sha256(episodes: Iterable[Any]) -> str:
    """Of the names and lengths of episodes: with one more, or a longer one, batches would be of other windows."""
    return hashlib.sha256("".join(f"{one.name} {len(one.segments)}\n" for one in episodes).encode()).hexdigest()


def require_same(mine: Any, other: Mapping[str, Any], where: str) -> None:
    """Raises BadConfig where two identities differ, naming what does; `mine` is as it was read from a file."""
    if not isinstance(mine, Mapping):
        raise BadConfig(where, expected="what it was begun with", got=repr(mine), remedy="Restore a copy of data.yaml.")
    if differ := [key for key in mine if mine[key] != other.get(key)]:
        raise BadConfig(
            where,
            expected="; ".join(f"{key} {mine[key]}" for key in differ),
            got="; ".join(f"{key} {other.get(key)}" for key in differ),
            remedy="Use the data, and the tokenizer, that the run was begun with.",
        )


def open_training_data(path: Path, recipe: Recipe, tokenizer: VideoTokenizer | None) -> TrainingData:
    """Windows of the recipe's model over the data at `path`.

    Args:
        tokenizer: that of the model; may be None where the data are codes of one that is not at hand.

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
    codes = _codes(path, data, tokenizer)
    size = (data.preprocessing.height, data.preprocessing.width)
    config = recipe.model_config_for(codes, size, manifest.dim)
    count = recipe.data.validation_windows
    if isinstance(data, Store):
        lengths = (config.past_frames, config.future_frames)
        windows: Dataset[Any] = Windows(data.training, manifest, *lengths, stride=recipe.data.stride)
        held_out: list[FrameBatch] | list[TokenBatch] = fixed_batches(
            Windows(data.validation, manifest, *lengths), count
        )
    else:
        _reject_pixels(path, recipe)
        stride = -(-recipe.data.stride // data.stride)  # in clips
        windows = TokenWindows(data.training, manifest, stride=stride, latents=config.num_latents)
        held_out = fixed_batches(TokenWindows(data.validation, manifest, latents=config.num_latents), count)
    episodes = episodes_sha256(data.training)
    return TrainingData(windows, episodes, held_out, config, codes, manifest, data.preprocessing)


def _codes(path: Path, data: Store | TokenStore, tokenizer: VideoTokenizer | None) -> TokenizerSpec:
    """Of the tokenizer given, which must be the one that made the codes; of theirs where they name none of ours."""
    if isinstance(data, TokenStore):
        if tokenizer is not None:
            spec_of(tokenizer).require(data.codes, where=str(path))
            return spec_of(tokenizer)
        if data.codes.sha256 is None:
            return data.codes
    elif tokenizer is not None:
        return spec_of(tokenizer)
    raise BadConfig(
        "--tokenizer",
        expected="the folder of the tokenizer whose codes the model predicts",
        got="none",
        remedy="Name what training.train_tokenizer wrote; only tokens made elsewhere are trained on without.",
    )


def _reject_pixels(path: Path, recipe: Recipe) -> None:
    asked = [key for key in ("shift", "colour") if getattr(recipe.data.augmentation, key)]
    if asked:
        raise BadConfig(
            "data: key `augmentation`",
            expected=f"{' and '.join(f'{key} 0' for key in asked)}: {path} holds codes, and no pictures to change",
            got=", ".join(f"{key} {getattr(recipe.data.augmentation, key)}" for key in asked),
            remedy=f"Add {' '.join(f'data.augmentation.{key}=0' for key in asked)}, or train on the store itself.",
        )
