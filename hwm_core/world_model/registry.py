"""The model families: configuration, network, sampler, and the kind of codes that each family predicts."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch

from hwm_core.data.tokens.tokenizer_spec import TokenizerSpec
from hwm_core.errors import BadConfig
from hwm_core.models.config import WorldModelConfig
from hwm_core.models.flow import FlowWorldModel
from hwm_core.models.flow_config import FlowConfig
from hwm_core.models.masked import MaskedWorldModel
from hwm_core.models.masked_config import MaskedConfig
from hwm_core.models.network import WorldModelNetwork
from hwm_core.models.st_config import STConfig
from hwm_core.models.st_transformer import STTransformer
from hwm_core.models.wan_base import open_model
from hwm_core.models.wan_config import WanConfig
from hwm_core.sampling.flow_predictor import FlowPredictor
from hwm_core.sampling.masked_predictor import MaskedPredictor
from hwm_core.sampling.predictor import Predictor
from hwm_core.sampling.st_predictor import STPredictor
from hwm_core.sampling.wan_predictor import WanPredictor
from hwm_core.tokenizers import VideoTokenizer


@dataclass(frozen=True)
class Family:
    """A model family."""

    config: type[WorldModelConfig]
    network: Callable[..., WorldModelNetwork]  # builds it from a `config`, and from a folder and a device if pretrained
    predictor: Callable[[Any], Predictor]  # samples from a `network`
    codes: Literal["discrete", "continuous"]  # of its tokenizers
    codes_field: Literal["levels", "latent_channels"]  # the field that must be equal in model and tokenizer
    pretrained: bool = False  # its networks are built on a folder of frozen weights

    def check_tokenizer(self, tokenizer: VideoTokenizer | TokenizerSpec) -> None:
        """Raises BadConfig for a tokenizer with the other kind of codes."""
        if tokenizer.codes != self.codes:
            raise BadConfig(
                "tokenizer",
                expected=f"{self.codes} codes, which this family of models predicts",
                got=f"`{tokenizer.kind}`, whose codes are {tokenizer.codes}",
                remedy="Use a tokenizer that was trained with a preset of the same family.",
            )


FAMILIES: Mapping[str, Family] = {
    "masked": Family(MaskedConfig, MaskedWorldModel, MaskedPredictor, "discrete", "levels"),
    "flow": Family(FlowConfig, FlowWorldModel, FlowPredictor, "continuous", "latent_channels"),
    "st_transformer": Family(STConfig, STTransformer, STPredictor, "discrete", "levels"),
    "wan": Family(WanConfig, open_model, WanPredictor, "continuous", "latent_channels", pretrained=True),
}


def family(name: str) -> Family:
    """The family `name`. Raises BadConfig for an unknown name, with a list of the known names."""
    if name not in FAMILIES:
        raise BadConfig("model family", expected=" or ".join(FAMILIES), got=f"`{name}`", remedy="Correct `family`.")
    return FAMILIES[name]


def build_model(
    name: str, config: Mapping[str, Any], base: Path | None = None, device: torch.device | str = "cpu"
) -> WorldModelNetwork:
    """An untrained network of the family `name`.

    Args:
        base: folder of its pretrained network, for a family that has one; None: random weights.
        device: where the network will be used; it is built on the CPU.

    Raises:
        BadConfig: an invalid `config`, or one of another base.
        BadCheckpoint: the files of the base are absent, or have another sha256.
    """
    found = family(name)
    parsed = found.config.parse(dict(config), where=f"{name} model")
    if found.pretrained:
        return found.network(parsed, base, device)
    if base is not None:
        expected = f"none: the family `{name}` has no pretrained network"
        raise BadConfig("base", expected=expected, got=base, remedy="Leave it out.")
    return found.network(parsed)
