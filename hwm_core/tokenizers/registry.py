"""The tokenizers by kind."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch

from hwm_core.config import Config
from hwm_core.errors import BadConfig, did_you_mean
from hwm_core.tokenizers.base import VideoTokenizer
from hwm_core.tokenizers.causal import CausalTokenizerConfig, CausalVideoTokenizer
from hwm_core.tokenizers.continuous import ContinuousTokenizerConfig, ContinuousVideoTokenizer
from hwm_core.tokenizers.cosmos import CosmosTokenizerConfig, CosmosVideoTokenizer
from hwm_core.tokenizers.patch import PatchTokenizer, PatchTokenizerConfig
from hwm_core.tokenizers.wan import WanTokenizerConfig, WanVideoTokenizer


class TokenizerKind(NamedTuple):
    """One kind of tokenizer."""

    config: type[Config]
    module: Callable[..., VideoTokenizer]
    external: bool = False  # loads its weights from a folder of files that are never copied (`.folder`)


TOKENIZERS: dict[str, TokenizerKind] = {
    "causal": TokenizerKind(CausalTokenizerConfig, CausalVideoTokenizer),
    "continuous": TokenizerKind(ContinuousTokenizerConfig, ContinuousVideoTokenizer),
    "cosmos": TokenizerKind(CosmosTokenizerConfig, CosmosVideoTokenizer, external=True),
    "patch": TokenizerKind(PatchTokenizerConfig, PatchTokenizer),
    "wan": TokenizerKind(WanTokenizerConfig, WanVideoTokenizer, external=True),
}


def build_tokenizer(
    config: Mapping[str, Any] | Config,
    files: Path | None = None,
    device: torch.device | str = "cpu",
) -> VideoTokenizer:
    """A tokenizer from its configuration: external ones with their weights, others untrained.

    Args:
        config: with a key `kind`.
        files: the folder of an external tokenizer, which is opened on `device`.

    Raises:
        BadConfig: unknown kind, unknown key or a value out of range; an external tokenizer without `files`.
        BadCheckpoint: the files of an external tokenizer are absent, or have another sha256.
    """
    mapping = config.plain() if isinstance(config, Config) else dict(config)
    kind = str(mapping.get("kind"))
    if kind not in TOKENIZERS:
        remedy = did_you_mean(kind, TOKENIZERS, "Set `kind`.")
        raise BadConfig("tokenizer: key `kind`", expected=" or ".join(TOKENIZERS), got=f"`{kind}`", remedy=remedy)
    found = TOKENIZERS[kind]
    parsed = found.config.parse(mapping, "tokenizer")
    if not found.external:
        return found.module(parsed)
    if files is None:
        raise BadConfig(
            "tokenizer", expected="a folder of files", got="none", remedy=f"Give the folder of the `{kind}` files."
        )
    return found.module(parsed, files, device)
