"""What the rest of the library needs of a video tokenizer."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from torch import Tensor, nn

from hwm_core.config import Config


class VideoTokenizer(nn.Module, ABC):
    """A frozen map between video and a grid of codes, causal in time.

    1 + k * temporal_factor frames <-> 1 + k latents: the first frame alone, then groups of frames. Latent t does not
    depend on frames after its own group, and a decoded frame does not depend on latents after its own: encoding a
    prefix of a video gives a prefix of its codes.
    Shapes: B clips, F frames, T latents, h = H / spatial_factor, w = W / spatial_factor, C = latent_channels.

    A discrete code is a token, int64 [B, T, h, w]; it stands for a latent in [-1, 1]. A continuous code is the latent
    itself, float [B, T, h, w, C], normalised to mean 0 and standard deviation 1.
    """

    config: Config
    kind: str
    codes: Literal["discrete", "continuous"]
    temporal_factor: int
    spatial_factor: int
    latent_channels: int
    levels: tuple[int, ...] = ()
    """FSQ levels of a discrete tokenizer (level 0 fastest, C levels); empty for a continuous one."""
    folder: Path | None = None
    """Where the weights of an external tokenizer are; None if the weights belong to this module."""

    @property
    def decoder_parts(self) -> tuple[nn.Module, ...]:
        """The modules that only decode: training them changes no code."""
        return ()

    @property
    def codes_sha256(self) -> str | None:
        """sha256 over everything that determines the codes, for external tokenizers; None: hash the weights."""
        return None

    @property
    def needs_statistics(self) -> bool:
        """Whether `fit_statistics` must be called before the codes are normalised."""
        return False

    def fit_statistics(self, clips: Iterable[Tensor]) -> None:
        """Measure mean and standard deviation of each channel over clips of frames [B, F, 3, H, W].

        Only continuous tokenizers have statistics.
        """
        raise NotImplementedError

    @abstractmethod
    def encode(self, frames: Tensor) -> Tensor:
        """Frames float [B, F, 3, H, W] in [0, 1] -> codes [B, T, h, w(, C)]."""

    @abstractmethod
    def decode(self, codes: Tensor) -> Tensor:
        """Codes [B, T, h, w(, C)] -> frames float [B, F, 3, H, W] in [0, 1]."""

    @abstractmethod
    def embed(self, codes: Tensor) -> Tensor:
        """Codes [B, T, h, w(, C)] -> latents float [B, T, h, w, C]."""

    @abstractmethod
    def decode_latents(self, latents: Tensor) -> Tensor:
        """Latents float [B, T, h, w, C], which may lie between codes -> frames, as `decode`."""
