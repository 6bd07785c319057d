"""A world model with its tokenizer: encodes observed frames, rolls out actions, decodes predicted frames."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hwm_core.clips import hold_last
from hwm_core.errors import BadCheckpoint, BadConfig
from hwm_core.frames import to_frames, to_video
from hwm_core.precision import autocast
from hwm_core.precision_name import Precision
from hwm_core.rng.candidates import CandidateGenerator, sample_seed
from hwm_core.sampling.config import Sampling
from hwm_core.types import Rollout
from hwm_core.world_model.arguments import check_context, check_future_actions, check_seeds
from hwm_core.world_model.checkpoint import Checkpoint, load_checkpoint
from hwm_core.world_model.detail_transfer import transfer_detail
from hwm_core.world_model.kept_weights import arithmetic_type, keep_weights
from hwm_core.world_model.past import Past
from hwm_core.world_model.registry import family


class WorldModel:
    """Network, tokenizer, robot and camera of one checkpoint. Not thread-safe: use it from one thread only."""

    def __init__(self, checkpoint: Checkpoint, *, dtype: torch.dtype | None = None) -> None:
        """A world model from a loaded checkpoint.

        Args:
            checkpoint: with a tokenizer.
            dtype: precision of the arithmetic (autocast), None: `auto` as for `load`; the weights stay as they are.

        Raises:
            BadCheckpoint: the checkpoint has no tokenizer.
        """
        if checkpoint.tokenizer is None:
            spec = checkpoint.tokenizer_spec
            raise BadCheckpoint(
                f"Checkpoint {checkpoint.name}",
                expected="a tokenizer, to encode images and to decode predictions",
                got=f"none: it was trained on codes of {'another tokenizer' if spec is None else spec.kind}",
                remedy="Train on these codes with --tokenizer, or evaluate the model on codes.",
            )
        self.model, self.tokenizer = checkpoint.model.eval(), checkpoint.tokenizer
        self.predictor = family(checkpoint.family).predictor(self.model)
        self.manifest, self.preprocessing = checkpoint.manifest, checkpoint.preprocessing
        self.name, self.family, self.sha256 = checkpoint.name, checkpoint.family, checkpoint.sha256
        self.metadata, self.checkpoint = checkpoint.metadata, checkpoint
        self.device = next(self.model.parameters()).device
        self.dtype = arithmetic_type("auto", checkpoint.weights, self.device) if dtype is None else dtype
        self.compiled_batch: int | None = None
        self._normalisation = self.manifest.normalisation(torch.empty(0, device=self.device))
        self.past_frames, self.future_frames = self.model.config.past_frames, self.model.config.future_frames
        self.frame_rate_hz = self.preprocessing.frame_rate_hz
        self.num_parameters = sum(p.numel() for part in (self.model, self.tokenizer) for p in part.parameters())

    @classmethod
    def load(
        cls,
        directory: str | Path,
        *,
        device: str | torch.device = "cpu",
        dtype: Precision = "auto",
        tokenizer: str | Path | None = None,
    ) -> "WorldModel":
        """Load a checkpoint folder; `tokenizer` as for `load_checkpoint`. Raises BadCheckpoint.

        `dtype` is the precision of the arithmetic. `auto` is float32 for a model whose file is float32, and otherwise
        the faster of both on this device. Matrices and convolutions are kept in it, as autocast would convert them at
        every call; the futures are the same.
        """
        checkpoint = load_checkpoint(directory, device, tokenizer)
        world_model = cls(checkpoint, dtype=arithmetic_type(dtype, checkpoint.weights, torch.device(device)))
        for part in (world_model.model, world_model.tokenizer):
            if part.folder is None:  # pretrained networks have a precision of their own
                keep_weights(part, world_model.dtype)
        return world_model

    def compile(self, mode: str = "default", batch: int = 32) -> None:
        """Compile predictions with `torch.compile`: faster, after a minute or more at the first use.

        Args:
            mode: of `torch.compile`; "reduce-overhead" records CUDA graphs.
            batch: candidates of a part in `WorldModelDynamics`, which fills up the last part: each other number would
                be compiled again.

        Raises:
            BadConfig: the model's past cannot be cached exactly.
        """
        self.predictor.compile(mode)
        self.compiled_batch = batch

    def observe(self, frames: NDArray[np.uint8], actions: NDArray[np.float32]) -> Past:
        """Encode observed frames and their actions: the past of the following rollouts.

        Args:
            frames: uint8 [F, H, W, 3], preprocessed, oldest first, F = `past_frames`; or B contexts, [B, F, H, W, 3].
            actions: [F, A], or [B, F, A], in joint units and manifest order.

        Raises:
            BadImage: wrong size, type or number of frames.
            BadActions: wrong number of actions or joints.
        """
        clip = (self.past_frames, self.preprocessing.height, self.preprocessing.width, 3)
        check_context(frames, actions, clip, self.manifest.dim)
        if frames.ndim == 4:
            frames, actions = frames[None], actions[None]
        return self._encode(self.to_video(frames), torch.as_tensor(actions, dtype=torch.float32, device=self.device))

    def rollout(
        self,
        past: Past,
        actions: NDArray[np.float32] | Tensor | None,
        *,
        sampling: Sampling,
        seed: int | Sequence[int] = 0,
        num_frames: int | None = None,
    ) -> Rollout:
        """Predict the future of every candidate.

        A horizon beyond the model's own future is predicted in chunks: the newest predicted frames are encoded again
        and become the past of the next chunk.

        Args:
            past: one context for all candidates, or one context per candidate.
            actions: [S, F, A] in joint units; action 0 acts on the first future frame. None drops past and future
                actions, and predicts one future of `num_frames` frames per context.
            sampling: how futures are sampled.
            seed: of the random numbers. Candidates of a masked model always get different numbers; candidates of a flow
                model share their noise. With one seed per candidate, a candidate gets the same numbers in any batch.
            num_frames: F if `actions` is None; default: the model's own future.

        Raises:
            BadActions: wrong size, or not finite (NaN is allowed for joints that were NaN in the past: the robot lacks
                them).
            BadConfig: the number of seeds is not the number of candidates.
        """
        future = None
        if actions is not None:
            future = torch.as_tensor(actions, dtype=torch.float32, device=self.device)
            check_future_actions(future, past.actions)
        total = (num_frames or self.future_frames) if future is None else future.shape[1]
        candidates = len(past.latents) if future is None else len(future)
        check_seeds(seed, candidates)
        generator = CandidateGenerator(seed, self.device)
        parts: list[Rollout] = []
        for start in range(0, total, self.future_frames):
            frames = min(total - start, self.future_frames)
            chunk = None if future is None else future[:, start : start + frames]
            part = self.predict(
                past,
                None if chunk is None else hold_last(chunk, self.future_frames),
                num_latents=-(-frames // self.model.config.temporal_factor),
                sampling=sampling,
                generator=generator,
            )
            if total > self.future_frames:
                part = replace(part, video=self.decode(past, part))
            if start + frames < total:
                past = self._continue(past, part, chunk)
            parts.append(part)
        return Rollout.concatenated(parts)

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
        """Sample `count` futures of every candidate, one rollout at a time. The first one uses `seed` itself.

        Arguments and errors as for `rollout`; also BadConfig when `count` > 1 and `sampling` is deterministic.
        """
        if count < 1 or (count > 1 and not self.predictor.varies(sampling)):
            raise BadConfig(
                "samples",
                expected="1 or more" if count < 1 else "a sampling whose futures differ by seed",
                got=count if count < 1 else f"{count} of {sampling}",
                remedy="For masked models, set a temperature above 0, and soft=false or several steps.",
            )
        for sample in range(count):
            yield self.rollout(past, actions, sampling=sampling, seed=sample_seed(seed, sample), num_frames=num_frames)

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
        """Mean frames of sampled futures, uint8 [S, F, H, W, 3], rounded once; arguments as for `samples`."""
        rollouts = self.samples(past, actions, samples, sampling=sampling, seed=seed, num_frames=num_frames)
        total = self.decode(past, next(rollouts)).clone()
        for rollout in rollouts:
            total += self.decode(past, rollout)
        return to_frames(total / samples)

    @torch.inference_mode()
    def decode(self, past: Past, rollout: Rollout) -> Tensor:
        """Predicted frames [S, F, 3, H, W] in [0, 1]; F covers whole latents, so it may exceed the horizon.

        Raises BadConfig for a rollout without its first latents: frames depend on all latents before them.
        """
        if rollout.video is not None:
            return rollout.video
        if rollout.first_latent:
            raise BadConfig(
                "rollout to decode",
                expected="all latents of the future",
                got=f"latents from number {rollout.first_latent} on",
                remedy="Predict all latents; costs of pixels need them.",
            )
        latents = rollout.latents
        clip = torch.cat([past.latents.expand(len(latents), *past.latents.shape[1:]), latents], dim=1)
        with self.autocast():
            video = self.tokenizer.decode_latents(clip).float().clamp(0, 1)
        decoded, newest = video[:, self.past_frames :], video[:, self.past_frames - 1]
        return transfer_detail(decoded, newest, past.video[:, -1]) if rollout.detail_transfer else decoded

    def frames(self, past: Past, rollout: Rollout) -> NDArray[np.uint8]:
        """Predicted frames, uint8 [S, F, H, W, 3]; F as for `decode`."""
        return to_frames(self.decode(past, rollout))

    @torch.inference_mode()
    def reconstruct(self, frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Encode and decode clips uint8 [B, 1 + k * temporal_factor, H, W, 3]: the upper bound of any prediction."""
        with self.autocast():
            return to_frames(self.tokenizer.decode(self.tokenizer.encode(self.to_video(frames))))

    @torch.no_grad()  # not inference mode: costs of a gradient search need goal and past
    def still_codes(self, image: NDArray[np.uint8]) -> Tensor:
        """Codes [H, W(, C)] of the last latent of a still clip of `image`, uint8 [H, W, 3] preprocessed."""
        still = self.to_video(image[None, None])
        with self.autocast():
            return self.tokenizer.encode(still.expand(-1, 1 + self.model.config.temporal_factor, -1, -1, -1))[0, -1]

    def predict(
        self,
        past: Past,
        actions: Tensor | None,
        *,
        num_latents: int,
        sampling: Sampling,
        generator: CandidateGenerator,
        skip: int = 0,
    ) -> Rollout:
        """Sample one chunk: at most the model's own future, in one call of its predictor. Arguments are not checked.

        Futures can be differentiated by actions that require a gradient.

        Args:
            past: as for `rollout`.
            actions: float32 [S, future_frames, A] in joint units on `device`; None drops past and future actions.
            num_latents: latents to predict.
            sampling: how futures are sampled.
            generator: source of the random numbers; its state advances.
            skip: earlier latents that are left out (see `sampling.predictor`); such a rollout cannot be decoded.
        """
        with self.autocast(), torch.set_grad_enabled(actions is not None and actions.requires_grad):
            rollout = self.predictor.predict(
                past.encoded,
                None if actions is None else self.normalised(actions),
                candidates=len(past.latents) if actions is None else len(actions),
                num_latents=num_latents,
                sampling=sampling,
                generator=generator,
                skip=skip,
            )
        return replace(rollout, latents=rollout.latents.float(), detail_transfer=sampling.detail_transfer)

    def autocast(self) -> AbstractContextManager[Any]:
        """Compute in `dtype`."""
        return autocast(self.device, self.dtype)

    def to_video(self, frames: NDArray[np.uint8]) -> Tensor:
        """uint8 [B, F, H, W, 3] -> float32 [B, F, 3, H, W] in [0, 1] on the device."""
        return to_video(frames, self.device)

    @torch.no_grad()
    def _encode(self, video: Tensor, actions: Tensor) -> Past:
        """The past of video [B, F, 3, H, W] and actions [B, F, A] in joint units."""
        with self.autocast():
            codes = self.tokenizer.encode(video)
            encoded = self.predictor.observe(codes, self.normalised(actions))
        return Past(self.tokenizer.embed(codes).float(), actions, video, encoded)

    def normalised(self, actions: Tensor) -> Tensor:
        return self.manifest.normalise(actions, self._normalisation)

    def _continue(self, past: Past, part: Rollout, actions: Tensor | None) -> Past:
        """The past of the next chunk: the newest `past_frames` frames, observed or predicted, encoded again."""
        assert part.video is not None
        if actions is None:
            actions = past.actions[:, -1:].expand(len(part.video), part.video.shape[1], -1)
        video, actions = (
            torch.cat([before.expand(len(after), *before.shape[1:]), after], dim=1)[:, -self.past_frames :]
            for before, after in ((past.video, part.video), (past.actions, actions))
        )
        return self._encode(video, actions)
