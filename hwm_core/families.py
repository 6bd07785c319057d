"""One table that pairs model, configuration and the kind of tokenizer it needs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn

from hwm_core.config import Config
from hwm_core.errors import BadConfig
from hwm_core.models.masked import MaskedConfig, MaskedWorldModel


@dataclass(frozen=True)
class Family:
    """A model family."""

    config: type[Config]
    model: type[nn.Module]
    tokenizer_kind: str  # "discrete" | "continuous"


FAMILIES: Mapping[str, Family] = {
    "masked": Family(MaskedConfig, MaskedWorldModel, "discrete"),
}


def family(name: str) -> Family:
    """Look a family up. Raises BadConfig naming the known ones."""
    if name not in FAMILIES:
        raise BadConfig("model family", expected=" or ".join(FAMILIES), got=f"`{name}`", remedy="Correct `family`.")
    return FAMILIES[name]


def build_model(name: str, config: Mapping[str, Any]) -> nn.Module:
    """An untrained model of family `name` from its plain configuration. Raises BadConfig."""
    row = family(name)
    return row.model(row.config.parse(dict(config), where=f"{name} model"))
