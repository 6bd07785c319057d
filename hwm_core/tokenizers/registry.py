"""The tokenizers there are, by kind."""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, NamedTuple

from torch import nn

from hwm_core.config import Config
from hwm_core.errors import BadConfig
from hwm_core.tokenizers.causal import CausalTokenizerConfig, CausalVideoTokenizer
from hwm_core.tokenizers.continuous import ContinuousTokenizerConfig, ContinuousVideoTokenizer
from hwm_core.tokenizers.patch import PatchTokenizer, PatchTokenizerConfig


class TokenizerKind(NamedTuple):
    config: type[Config]
    module: type[nn.Module]  # a VideoTokenizer


TOKENIZERS: dict[str, TokenizerKind] = {
    "causal": TokenizerKind(CausalTokenizerConfig, CausalVideoTokenizer),
    "continuous": TokenizerKind(ContinuousTokenizerConfig, ContinuousVideoTokenizer),
    "patch": TokenizerKind(PatchTokenizerConfig, PatchTokenizer),
}


def build_tokenizer(config: Mapping[str, Any] | Config, where: str = "tokenizer") -> Any:
    """A VideoTokenizer (and nn.Module) from its configuration; `kind` in the mapping chooses the row.

    Raises:
        BadConfig: unknown kind, unknown key or a value out of range.
    """
    mapping = config.plain() if isinstance(config, Config) else dict(config)
    kind = str(mapping.get("kind"))
    if kind not in TOKENIZERS:
        near = get_close_matches(kind, TOKENIZERS, n=1)
        remedy = f"Did you mean `{near[0]}`?" if near else "Set `kind`."
        raise BadConfig(f"{where}: key `kind`", expected=" or ".join(TOKENIZERS), got=f"`{kind}`", remedy=remedy)
    row = TOKENIZERS[kind]
    return row.module(row.config.parse(mapping, where))
