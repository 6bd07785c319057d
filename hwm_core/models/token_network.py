"""What samplers, evaluation and the challenge need of a network that predicts tokens, whatever its family."""

from dataclasses import dataclass

from einops import rearrange
from torch import Tensor

from hwm_core.models.masked_config import MaskedConfig
from hwm_core.models.network import WorldModelNetwork
from hwm_core.models.st_config import STConfig
from hwm_core.models.vocabulary import Vocabulary
from hwm_core.nn.key_value import Cache

TokenConfig = MaskedConfig | STConfig


@dataclass(frozen=True)
class KVCache:
    """Exact keys and values of the first `num_latents` latents, whose tokens are final."""

    cache: Cache
    num_latents: int


class TokenNetwork(WorldModelNetwork):
    """A network that predicts distributions of tokens.

    A site is one spatial position of the transformer and holds P = patch * patch tokens [..., h, w, P].
    """

    config: TokenConfig
    vocabulary: Vocabulary

    def to_sites(self, tokens: Tensor) -> Tensor:
        """Tokens [..., H, W] -> [..., h, w, P], the tokens of each site."""
        return rearrange(tokens, "... (h p) (w q) -> ... h w (p q)", p=self.config.patch, q=self.config.patch)

    def to_grid(self, sites: Tensor) -> Tensor:
        """Tokens of each site [S, T, h, w, P, ...] -> [S, T, H, W, ...]; the inverse of `to_sites`."""
        return rearrange(sites, "s t h w (p q) ... -> s t (h p) (w q) ...", p=self.config.patch, q=self.config.patch)
