"""A checkpoint in use: frames and actions in, imagined frames and latents out."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hwm_core.errors import BadActions, BadCheckpoint, BadConfig, BadImage
from hwm_core.frames import to_frames, to_video
from hwm_core.rng.candidates import Draws, sample_seed
from hwm_core.sampling.config import Sampling
from hwm_core.world_model.checkpoint import Checkpoint, load_checkpoint
from hwm_core.world_model.detail_transfer import carried
from hwm_core.world_model.registry import family


@dataclass(frozen=True)
class Past:
    """What the model knows of the time before: B contexts (one, or one per candidate when rolled on)."""

    latents: Tensor  # [B, T_past, H, W, C]
    actions: Tensor  # [B, F_past, A] joint units
    video: Tensor  # [B, F_past, 3, H, W] in [0, 1]
    known: Any  # what the family's predictor keeps of it: codes, and exact keys and values where rows allow it


@dataclass(frozen=True)
class Rollout:
    """Imagined futures of S candidates, oldest first."""

    latents: Tensor  # [S, T, H, W, C]
    tokens: Tensor | None  # [S, T, H, W] codes, of a discrete tokenizer
    video: (
        Tensor | None
    )  # [S, F, 3, H, W] in [0, 1] if it had to be decoded to roll on; `WorldModel.video` always gives it
    carry_detail: bool = False  # whether it is painted with the newest frame's detail


class WorldModel:
    """Model, tokenizer, robot and camera of one checkpoint. Not thread-safe: one thread owns it."""

    def __init__(self, checkpoint: Checkpoint, *, dtype: torch.dtype = torch.bfloat16) -> None:
        """Args: dtype: of the arithmetic (autocast); weights stay float32.

        Raises BadCheckpoint for one without a tokenizer.
        """
        if checkpoint.tokenizer is None:
            raise BadCheckpoint(
                f"Checkpoint {checkpoint.name}",
                expected="a tokenizer, to take in pictures and to paint the future",
                got=f"none: it was trained on codes of {checkpoint.metadata.get('codes', {}).get('kind', 'another')}",
                remedy="Train on these codes with --tokenizer, or evaluate it on codes.",
            )
        self.model, self.tokenizer = checkpoint.model.eval(), checkpoint.tokenizer
        self._predictor = family(checkpoint.family).predictor(self.model)
        self.manifest, self.preprocessing = checkpoint.manifest, checkpoint.preprocessing
        self.name, self.family, self.sha256 = checkpoint.name, checkpoint.family, checkpoint.sha256
        self.metadata = checkpoint.metadata
        self.device, self.dtype = next(self.model.parameters()).device, dtype
        self.past_frames, self.future_frames = self.model.config.past_frames, self.model.config.future_frames
        self.frame_rate_hz = self.preprocessing.frame_rate_hz
        self.num_parameters = sum(p.numel() for part in (self.model, self.tokenizer) for p in part.parameters())

    @classmethod
    def load(
        cls,
        directory: str | Path,
        *,
        device: str | torch.device = "cpu",
        dtype: str = "bfloat16",
        tokenizer: str | Path | None = None,
    ) -> "WorldModel":
        """Read a checkpoint folder; `tokenizer` as for `load_checkpoint`. Raises BadCheckpoint."""
        return cls(load_checkpoint(directory, device, tokenizer), dtype=getattr(torch, dtype))

    def observe(self, frames: NDArray[np.uint8], actions: NDArray[np.float32]) -> Past:
        """Take in the newest frames and the actions stored with them.

        Args:
            frames: uint8 [F, H, W, 3], preprocessed, oldest first, F = `past_frames`.
            actions: [F, A] in joint units and manifest order.

        Raises:
            BadImage, BadActions: another number or size of frames or actions.
        """
        size = (self.past_frames, self.preprocessing.height, self.preprocessing.width, 3)
        if frames.shape != size or frames.dtype != np.uint8:
            raise BadImage(
                "context frames",
                expected=f"uint8 {list(size)}",
                got=f"{frames.dtype} {list(frames.shape)}",
                remedy="Apply the checkpoint's preprocessing to the newest frames.",
            )
        if actions.shape != (self.past_frames, self.manifest.dim):
            raise BadActions(
                "context actions",
                expected=[self.past_frames, self.manifest.dim],
                got=list(actions.shape),
                remedy="Give one row per context frame, in manifest order.",
            )
        return self.observe_many(frames[None], actions[None])

    def observe_many(self, frames: NDArray[np.uint8], actions: NDArray[np.float32]) -> Past:
        """`observe` for B contexts, uint8 [B, F, H, W, 3] and [B, F, A]; `rollout` then takes one candidate each."""
        return self._observe(self.to_video(frames), torch.as_tensor(actions, dtype=torch.float32, device=self.device))

    def rollout(
        self,
        past: Past,
        actions: NDArray[np.float32] | Tensor | None,
        *,
        sampling: Sampling,
        seed: int | Sequence[int] = 0,
        num_frames: int | None = None,
    ) -> Rollout:
        """Imagine the futures of candidate actions.

        Beyond the model's own future the newest imagined frames are encoded again and become the past.

        Args:
            actions: [S, F, A] in joint units, the first acting on the first future frame; None drops the action
                stream, of the past too (one future, of `num_frames` frames).
            sampling: how futures are drawn.
            seed: of the draws. Of a masked model every candidate has its own; of a flow model all share their noise.
                Or one for each candidate, which then draws the same in any batch.
            num_frames: F when `actions` is None; the model's future by default.

        Raises:
            BadActions: wrong size, not finite (NaN may be what was NaN in the past: joints that the robot lacks).
            BadConfig: another number of seeds than of candidates.
        """
        future = None if actions is None else self._checked(actions, past)
        total = (num_frames or self.future_frames) if future is None else future.shape[1]
        candidates = len(past.latents) if future is None else len(future)
        if not isinstance(seed, int) and len(seed) != candidates:
            raise BadConfig(
                "seeds", expected=f"one, or {candidates}", got=len(seed), remedy="Give one for each candidate."
            )
        draws = Draws(seed, self.device)
        parts: list[Rollout] = []
        for start in range(0, total, self.future_frames):
            chunk = None if future is None else future[:, start : start + self.future_frames]
            latents = -(-min(total - start, self.future_frames) // self.model.config.temporal_factor)
            part = self._rollout_once(past, chunk, latents, sampling, draws)
            if total > self.future_frames:
                part = replace(part, video=self._decode(past, part))
            if start + self.future_frames < total:
                past = self._roll_on(past, part, chunk)
            parts.append(part)
        return parts[0] if len(parts) == 1 else _joined(parts)

    def samples(
        self,
        past: Past,
        actions: NDArray[np.float32] | Tensor | None,
        count: int,
        *,
        sampling: Sampling,
        seed: int | Sequence[int] = 0,
        num_frames: int | None = None,
    ) -> Iterator[Rollout]:
        """`count` futures of every candidate, one rollout after the other; the first is that of `seed` itself.

        Arguments and errors as of `rollout`; also BadConfig for several of a sampling that draws nothing.
        """
        if count < 1 or (count > 1 and not self._predictor.varies(sampling)):
            raise BadConfig(
                "samples",
                expected="1 or more" if count < 1 else "a sampling by which futures differ",
                got=count if count < 1 else f"{count} of {sampling}",
                remedy="Masked models differ by a temperature above 0, with soft=false or several steps.",
            )
        for sample in range(count):
            drawn = sample_seed(seed, sample)
            yield self.rollout(past, actions, sampling=sampling, seed=drawn, num_frames=num_frames)

    def mean_frames(
        self,
        past: Past,
        actions: NDArray[np.float32] | Tensor | None,
        samples: int,
        *,
        sampling: Sampling,
        seed: int | Sequence[int] = 0,
        num_frames: int | None = None,
    ) -> NDArray[np.uint8]:
        """The mean picture of as many futures, uint8 [S, F, H, W, 3], rounded once; arguments as of `samples`."""
        drawn = self.samples(past, actions, samples, sampling=sampling, seed=seed, num_frames=num_frames)
        total = self.video(past, next(drawn)).clone()
        for rollout in drawn:
            total += self.video(past, rollout)
        return to_frames(total / samples)

    def video(self, past: Past, rollout: Rollout) -> Tensor:
        """The imagined frames [S, F, 3, H, W] in [0, 1], whole latents."""
        return self._decode(past, rollout) if rollout.video is None else rollout.video

    def frames(self, past: Past, rollout: Rollout) -> NDArray[np.uint8]:
        """The imagined frames, uint8 [S, F, H, W, 3]."""
        return to_frames(self.video(past, rollout))

    @torch.inference_mode()
    def reconstruct(self, frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Clips uint8 [B, 1 + 8k, H, W, 3] through the tokenizer and back: what a perfect model could show."""
        with self.arithmetic():
            return to_frames(self.tokenizer.decode(self.tokenizer.encode(self.to_video(frames))))

    def goal_latent(self, image: NDArray[np.uint8]) -> Tensor:
        """The latent [H, W, C] of a still clip of `image`, uint8 [H, W, 3] preprocessed."""
        still = self.to_video(image[None, None])
        with self.arithmetic():
            tokens = self.tokenizer.encode(still.expand(-1, 1 + self.model.config.temporal_factor, -1, -1, -1))
            return self.tokenizer.embed(tokens)[0, -1].float()

    @contextmanager
    def arithmetic(self) -> Iterator[None]:
        """The precision that it computes in."""
        with torch.autocast(self.device.type, self.dtype, enabled=self.dtype is not torch.float32):
            yield

    def to_video(self, frames: NDArray[np.uint8]) -> Tensor:
        """uint8 [B, F, H, W, 3] -> [B, F, 3, H, W] in [0, 1] on the device."""
        return to_video(frames, self.device)

    def _checked(self, actions: NDArray[np.float32] | Tensor, past: Past) -> Tensor:
        future = torch.as_tensor(actions, dtype=torch.float32, device=self.device)
        if future.ndim != 3 or 0 in future.shape or future.shape[2] != self.manifest.dim:
            raise BadActions(
                "future actions",
                expected=f"[S, F, {self.manifest.dim}] (candidates, frames, joints)",
                got=list(future.shape),
                remedy="Give one row of joint values per future frame, in manifest order.",
            )
        lacked = past.actions[:, -1:].isnan()  # joints that a robot of several lacks, before and after
        if not (future.isfinite() | (future.isnan() & lacked)).all():
            raise BadActions(
                "future actions", expected="finite joint values", got="NaN or infinity", remedy="Drop that candidate."
            )
        return future

    @torch.inference_mode()
    def _observe(self, video: Tensor, actions: Tensor) -> Past:
        with self.arithmetic():
            codes = self.tokenizer.encode(video)
            known = self._predictor.observe(codes, self.manifest.normalise(actions))
        return Past(self.tokenizer.embed(codes).float(), actions, video, known)

    @torch.inference_mode()
    def _rollout_once(
        self, past: Past, actions: Tensor | None, latents: int, sampling: Sampling, draws: Draws
    ) -> Rollout:
        """At most the model's own future; a shorter horizon holds its last action to the end of it."""
        if actions is not None:
            missing = self.future_frames - actions.shape[1]
            actions = self.manifest.normalise(torch.cat([actions, actions[:, -1:].expand(-1, missing, -1)], dim=1))
        with self.arithmetic():
            future = self._predictor.predict(
                past.known,
                actions,
                candidates=len(past.latents) if actions is None else len(actions),
                num_latents=latents,
                sampling=sampling,
                draws=draws,
            )
        return Rollout(future.latents.float(), future.tokens, None, sampling.carry_detail)

    def _roll_on(self, past: Past, part: Rollout, actions: Tensor | None) -> Past:
        """The newest frames, imagined or, of a future shorter than the past, still seen, encoded as the next past."""
        assert part.video is not None
        if actions is None:
            actions = past.actions[:, -1:].expand(len(part.video), part.video.shape[1], -1)
        frames, held = (
            torch.cat([before.expand(len(after), *before.shape[1:]), after], dim=1)[:, -self.past_frames :]
            for before, after in ((past.video, part.video), (past.actions, actions))
        )
        return self._observe(frames, held)

    @torch.inference_mode()
    def _decode(self, past: Past, rollout: Rollout) -> Tensor:
        latents = rollout.latents
        whole = torch.cat([past.latents.expand(len(latents), *past.latents.shape[1:]), latents], dim=1)
        with self.arithmetic():
            video = self.tokenizer.decode_latents(whole).float().clamp(0, 1)
        painted = video[:, self.past_frames :]
        return carried(painted, video[:, self.past_frames - 1], past.video[:, -1]) if rollout.carry_detail else painted


def _joined(parts: list[Rollout]) -> Rollout:
    def join(name: str) -> Any:
        of_parts = [getattr(part, name) for part in parts]
        return None if of_parts[0] is None else torch.cat(of_parts, dim=1)

    return Rollout(join("latents"), join("tokens"), join("video"), parts[0].carry_detail)
