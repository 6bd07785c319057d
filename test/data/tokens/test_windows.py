"""Training windows of token episodes."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from hwm_core.data.tokens.episodes import TokenEpisode
from hwm_core.data.tokens.windows import TokenWindows, action_frames
from hwm_core.errors import BadBag


def test_the_action_of_a_single_frame_latent_is_repeated_for_its_frames():
    # Two clips of 1 + 2 frames, as a model of 4 latents counts them: 1 + 2, then frame 3 twice, then 4 and 5.
    assert action_frames(2, 2, 2).tolist() == [0, 1, 2, 3, 3, 4, 5]
    assert action_frames(4, 1, 1).tolist() == [0, 1, 2, 3]


def test_latents_that_are_not_finite_are_rejected():
    tokens = np.full((1, 2, 2, 2, 3), np.nan, np.float16)
    shard = TokenEpisode("one", tokens, 9, 0, 30.0, np.zeros(9, np.int32), ("a",), None)
    with pytest.raises(BadBag, match="finite latents"):
        TokenWindows([shard], None, latents=2)[0]
    assert (
        TokenWindows([replace(shard, tokens=np.zeros_like(tokens))], None, latents=2)[0].tokens.dtype == torch.float32
    )
