"""Token sets made from a store by the real command."""

import torch
from grey_episodes import PREPROCESSING

from hwm_core.data.tokens.tokenise import TokeniseOptions, tokenise
from hwm_core.data.tokens.tokenizer_spec import spec_of
from hwm_core.tokenizers import VideoTokenizer


class EncodesOnly(VideoTokenizer):
    """A tokenizer of tests that decode nothing."""

    def encode(self, frames):
        raise NotImplementedError

    decode = embed = decode_latents = encode


class Mean(EncodesOnly):
    """Two latents of 1 + 4 frames; the code is the mean of the pictures of the latent, on a grid of 2 x 4."""

    kind, codes, levels, latent_channels = "mean", "discrete", (256,), 1
    temporal_factor = spatial_factor = 4

    def __init__(self):
        super().__init__()
        self.calls = 0

    def encode(self, frames):
        self.calls += 1
        groups = [frames[:, :1], frames[:, 1:]]
        codes = torch.stack([(255 * group).mean(dim=(1, 2, 3, 4)).round() for group in groups], dim=1)
        return codes.long()[:, :, None, None].expand(-1, -1, 2, 4)


def run(episodes, out, tokenizer=None, sha256="abc", manifests=None, preprocessing=PREPROCESSING, **options):
    tokenizer = tokenizer or Mean()
    spec = spec_of(tokenizer).model_copy(update={"sha256": sha256})
    chosen = TokeniseOptions(**{"latents": 2, "batch": 2, **options})
    return tokenise(episodes, preprocessing, tokenizer, out, spec=spec, options=chosen, manifests=manifests)
