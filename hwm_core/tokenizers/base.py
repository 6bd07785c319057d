"""What the rest of the house knows about a tokenizer."""

from typing import Literal, Protocol, runtime_checkable

from torch import Tensor

from hwm_core.config import Config


@runtime_checkable
class VideoTokenizer(Protocol):
    """A frozen map between video and a grid of codes, causal in time.

    1 + k * temporal_factor frames <-> 1 + k latents: the first frame alone, then groups. Latent t depends on no frame
    after its own group, and a decoded frame on no latent after its own, so encoding a prefix gives a prefix.
    Shapes: B clips, F frames, T latents, h = H / spatial_factor, w = W / spatial_factor, C = latent_channels.

    A discrete code is a token, int64 [B, T, h, w], that stands for a latent in [-1, 1]. A continuous code is the latent
    itself, float [B, T, h, w, C], normalised to mean 0 and deviation 1.
    """

    config: Config
    kind: str
    codes: Literal["discrete", "continuous"]
    temporal_factor: int
    spatial_factor: int
    latent_channels: int

    def encode(self, frames: Tensor) -> Tensor:
        """Frames float [B, F, 3, H, W] in [0, 1] -> codes [B, T, h, w(, C)]."""
        ...

    def decode(self, codes: Tensor) -> Tensor:
        """Codes [B, T, h, w(, C)] -> frames float [B, F, 3, H, W] in [0, 1]."""
        ...

    def embed(self, codes: Tensor) -> Tensor:
        """Codes [B, T, h, w(, C)] -> latents float [B, T, h, w, C]."""
        ...

    def decode_latents(self, latents: Tensor) -> Tensor:
        """Latents float [B, T, h, w, C], of codes or between them -> frames, as `decode`."""
        ...


@runtime_checkable
class DiscreteTokenizer(VideoTokenizer, Protocol):
    """A tokenizer whose codes are FSQ tokens, flat indices with level 0 fastest; C = len(levels)."""

    levels: tuple[int, ...]
    codebook_size: int
