"""Token sets, made by `tokenise` with a small tokenizer."""

import torch
from grey_episodes import PREPROCESSING

from hwm_core.data.tokens.tokenise import TokeniseOptions, tokenise
from hwm_core.data.tokens.tokenizer_spec import spec_of
from hwm_core.tokenizers import VideoTokenizer


class EncodesOnly(VideoTokenizer):
    """Base of test tokenizers, which cannot decode."""

    def encode(self, frames):
        raise NotImplementedError

    decode = embed = decode_latents = encode


class Mean(EncodesOnly):
    """Two latents of 1 + 4 frames on a grid of 2 x 4. The code is the mean grey value of the frames of the latent."""

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


def tokenised(episodes, out, tokenizer=None, sha256="abc", manifests=None, preprocessing=PREPROCESSING, **options):
    tokenizer = tokenizer or Mean()
    spec = spec_of(tokenizer).model_copy(update={"sha256": sha256})
    chosen = TokeniseOptions(**{"latents": 2, "batch": 2, **options})
    return tokenise(episodes, preprocessing, tokenizer, out, spec=spec, options=chosen, manifests=manifests)
