"""What a set of codes says of the tokenizer that made them, so that no model is trained on those of another."""

import hashlib
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hwm_core.config import Config
from hwm_core.errors import BadConfig
from hwm_core.tokenizers import VideoTokenizer


class TokenizerSpec(Config):
    """A tokenizer without its weights: what decides the shape and the meaning of its codes."""

    kind: str
    codes: Literal["discrete", "continuous"]
    levels: tuple[int, ...] = ()  # of discrete codes, level 0 fastest; the vocabulary is their product
    latent_channels: int
    temporal_factor: int
    spatial_factor: int
    sha256: str | None = None  # of the weights that decide the codes; None where they were not at hand

    @property
    def vocabulary(self) -> int:
        """How many codes there are; 0 of continuous ones."""
        return int(np.prod(self.levels)) if self.levels else 0

    def require(
        self,
        other: "TokenizerSpec",
        where: str,
        remedy: str = "Give the tokenizer that made these codes, or tokenise the store again with yours.",
    ) -> None:
        """Raises BadConfig where codes of `other` are not these; weights count where both are known."""
        mine, its = self.plain(), other.plain()
        if None in (self.sha256, other.sha256):  # of one that is not at hand the shape of its codes is all there is
            mine["sha256"] = its["sha256"] = mine["kind"] = its["kind"] = None
        if differ := [key for key in mine if mine[key] != its[key]]:
            raise BadConfig(
                f"{where}: tokenizer",
                expected=", ".join(f"{key} {mine[key]}" for key in differ),
                got=", ".join(f"{key} {its[key]}" for key in differ),
                remedy=remedy,
            )


def spec_of(tokenizer: VideoTokenizer) -> TokenizerSpec:
    """Of a tokenizer at hand (a VideoTokenizer and nn.Module)."""
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
    """Of its weights, as files hold them. Not of those that only paint: tuning them leaves every code as it was."""
    painting = {id(value) for part in tokenizer.decoder_parts for value in part.parameters()}
    digest = hashlib.sha256()
    for name, value in sorted(tokenizer.state_dict(keep_vars=True).items()):
        if id(value) not in painting:
            digest.update(f"{name} {list(value.shape)}\n".encode())
            kept = value.detach().bfloat16() if value.is_floating_point() else value
            digest.update(kept.cpu().double().numpy().tobytes())
    return digest.hexdigest()


def stored_dtype(spec: TokenizerSpec) -> str:
    """The smallest type that holds these codes; latents lose a little (11 bits of precision are kept)."""
    if spec.codes == "continuous":
        return "float16"
    return "uint16" if spec.vocabulary <= 2**16 else "int32"


def in_vocabulary(codes: NDArray, vocabulary: int) -> bool:
    """Whether every code is one; latents (vocabulary 0) must be finite."""
    if not codes.size:
        return True
    if not vocabulary:
        return bool(np.isfinite(codes).all())
    return bool(codes.min() >= 0 and codes.max() < vocabulary)
