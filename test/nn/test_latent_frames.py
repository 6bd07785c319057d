"""Values of frames gathered by latent: the first latent of a clip has one frame."""

import torch

from hwm_core.nn.latent_frames import last_of_latents, mean_of_latents

FRAMES = torch.arange(5.0).view(1, 5, 1)  # latents of factor 2: [0], [1, 2], [3, 4]


def test_the_first_latent_of_a_clip_is_one_frame():
    assert mean_of_latents(FRAMES, 0, 2).flatten().tolist() == [0.0, 1.5, 3.5]
    assert last_of_latents(FRAMES, 0, 2).flatten().tolist() == [0.0, 2.0, 4.0]


def test_later_latents_alone_are_the_same():
    assert mean_of_latents(FRAMES[:, 1:], 1, 2).flatten().tolist() == [1.5, 3.5]
    assert last_of_latents(FRAMES[:, 3:], 2, 2).flatten().tolist() == [4.0]
