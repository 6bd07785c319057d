"""The tokenizer spec: identifies the tokenizer of a token set, so that no model is trained on another's codes."""

import hashlib
from typing import Literal

import numpy as np

from hwm_core.config import Config
from hwm_core.errors import BadConfig
from hwm_core.tokenizers import VideoTokenizer


class TokenizerSpec(Config):
    """What determines the shape and the meaning of a tokenizer's codes."""

    kind: str
    codes: Literal["discrete", "continuous"]
    levels: tuple[int, ...] = ()  # of discrete codes, level 0 fastest; the vocabulary is their product
    latent_channels: int
    temporal_factor: int
    spatial_factor: int
    sha256: str | None = None  # of the encoder weights; None when the weights are unknown

    @property
    def vocabulary(self) -> int:
        """Number of codes; 0 for continuous latents."""
        return int(np.prod(self.levels)) if self.levels else 0

    def require(
        self,
        other: "TokenizerSpec",
        where: str,
        remedy: str = "Give the tokenizer that made these codes, or tokenise the store again with this tokenizer.",
    ) -> None:
        """Check that `other` makes the same codes. Weights are compared when both are known.

        Raises:
            BadConfig: the specs differ; lists the fields.
        """
        mine, its = self.plain(), other.plain()
        if None in (self.sha256, other.sha256):  # with unknown weights, only the shape of the codes can be compared
            mine["sha256"] = its["sha256"] = mine["kind"] = its["kind"] = None
        if differ := [key for key in mine if mine[key] != its[key]]:
            raise BadConfig(
                f"{where}: tokenizer",
                expected=", ".join(f"{key} {mine[key]}" for key in differ),
                got=", ".join(f"{key} {its[key]}" for key in differ),
                remedy=remedy,
            )


def spec_of(tokenizer: VideoTokenizer) -> TokenizerSpec:
    """The spec of a loaded tokenizer."""
    return TokenizerSpec(
        kind=tokenizer.kind,
        codes=tokenizer.codes,
        levels=tokenizer.levels,
        latent_channels=tokenizer.latent_channels,
        temporal_factor=tokenizer.temporal_factor,
        spatial_factor=tokenizer.spatial_factor,
        sha256=tokenizer.codes_sha256 or _sha256(tokenizer),  # Cosmos has its own
    )


def _sha256(tokenizer: VideoTokenizer) -> str:
    """Checksum of the weights as files store them, without the decoder: tuning the decoder keeps every code."""
    decoder = {id(value) for part in tokenizer.decoder_parts for value in part.parameters()}
    digest = hashlib.sha256()
    for name, value in sorted(tokenizer.state_dict(keep_vars=True).items()):
        if id(value) not in decoder:
            digest.update(f"{name} {list(value.shape)}\n".encode())
            stored = value.detach().bfloat16() if value.is_floating_point() else value
            digest.update(stored.cpu().double().numpy().tobytes())
    return digest.hexdigest()


def stored_dtype(spec: TokenizerSpec) -> str:
    """The smallest type that stores the codes; latents keep 11 bits of precision."""
    if spec.codes == "continuous":
        return "float16"
    return "uint16" if spec.vocabulary <= 2**16 else "int32"
