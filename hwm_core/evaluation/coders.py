"""How frames of the true simulator become the latents that costs compare."""

from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hwm_core.frames import to_video
from hwm_core.planning.dynamics import Goal
from hwm_core.world_model.dynamics import WorldModelDynamics
from hwm_core.world_model.model import WorldModel

Frames = NDArray[np.uint8]


class Coder(Protocol):
    """Encodes true frames and goal images."""

    @property
    def horizon_frames(self) -> int:
        """F, frames of a rollout."""
        ...

    @property
    def rendered(self) -> tuple[int, ...]:
        """The future frames that it needs, 0 for the first; rendering costs most of a rollout."""
        ...

    def goal(self, image: Frames, start: Frames | None = None) -> Goal:
        """Encode a goal image, and the image at its start: uint8 [H, W, 3], preprocessed."""
        ...

    def latents(self, past: Frames, future: Frames) -> Tensor:
        """Latents [S, T, h, w, C] of the rendered frames.

        Args:
            past: [P, H, W, 3], the same for all candidates.
            future: [S, len(rendered), H, W, 3].
        """
        ...


class ClipCoder:
    """Encodes the whole future after the past, as the tokenizer encodes recordings: a perfect model's latents."""

    def __init__(self, world_model: WorldModel) -> None:
        self._world_model = world_model
        self.horizon_frames = world_model.future_frames
        self.rendered = tuple(range(world_model.future_frames))

    def goal(self, image: Frames, start: Frames | None = None) -> Goal:
        return WorldModelDynamics(self._world_model).goal(image, start)

    @torch.inference_mode()
    def latents(self, past: Frames, future: Frames) -> Tensor:
        clips = np.concatenate([np.broadcast_to(past, (len(future), *past.shape)), future], axis=1)
        tokenizer = self._world_model.tokenizer
        with self._world_model.autocast():
            latents = tokenizer.embed(tokenizer.encode(to_video(clips, self._world_model.device)))
        return latents[:, 1 + (len(past) - 1) // tokenizer.temporal_factor :].float()


class StillCoder:
    """Encodes the last frame alone, as a still clip: exact for futures that end at rest, and much faster."""

    def __init__(self, world_model: WorldModel) -> None:
        self._world_model = world_model
        self.horizon_frames = world_model.future_frames
        self.rendered = (world_model.future_frames - 1,)

    def goal(self, image: Frames, start: Frames | None = None) -> Goal:
        return WorldModelDynamics(self._world_model).goal(image, start)

    @torch.inference_mode()
    def latents(self, past: Frames, future: Frames) -> Tensor:
        tokenizer = self._world_model.tokenizer
        still = to_video(future, self._world_model.device).expand(-1, 1 + tokenizer.temporal_factor, -1, -1, -1)
        with self._world_model.autocast():
            return tokenizer.embed(tokenizer.encode(still))[:, -1:].float()


class PixelCoder:
    """The last frame's pixels are the latent, [H, W, 3] in [0, 1]: costs of latents become costs of pictures."""

    def __init__(self, horizon_frames: int) -> None:
        self.horizon_frames = horizon_frames
        self.rendered = (horizon_frames - 1,)

    def goal(self, image: Frames, start: Frames | None = None) -> Goal:
        pixels = torch.from_numpy(image).float() / 255
        before = None if start is None else torch.from_numpy(start).float() / 255
        return Goal(pixels.movedim(-1, 0), pixels, before)

    def latents(self, past: Frames, future: Frames) -> Tensor:
        return torch.from_numpy(future).float() / 255
