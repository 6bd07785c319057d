"""What the rest of the house knows about a tokenizer."""

from typing import Protocol, runtime_checkable

from torch import Tensor

from hwm_core.config import Config


@runtime_checkable
class VideoTokenizer(Protocol):
    """A frozen map between video and a grid of FSQ codes, causal in time.

    1 + k * temporal_factor frames <-> 1 + k latents: the first frame alone, then groups. Latent t depends on no frame
    after its own group, and a decoded frame on no latent after its own, so encoding a prefix gives a prefix.
    Shapes: B clips, F frames, T latents, h = H / spatial_factor, w = W / spatial_factor, C = len(levels).
    """

    config: Config
    kind: str
    temporal_factor: int
    spatial_factor: int
    levels: tuple[int, ...]
    codebook_size: int
    latent_channels: int

    def encode(self, frames: Tensor) -> Tensor:
        """Frames float [B, F, 3, H, W] in [0, 1] -> tokens int64 [B, T, h, w] (flat codes, level 0 fastest)."""
        ...

    def decode(self, tokens: Tensor) -> Tensor:
        """Tokens int64 [B, T, h, w] -> frames float [B, F, 3, H, W] in [0, 1]."""
        ...

    def embed(self, tokens: Tensor) -> Tensor:
        """Tokens int64 [B, T, h, w] -> latents float [B, T, h, w, C] in [-1, 1]."""
        ...

    def decode_latents(self, latents: Tensor) -> Tensor:
        """Latents float [B, T, h, w, C] in [-1, 1], on the grid or between its points -> frames, as `decode`."""
        ...
