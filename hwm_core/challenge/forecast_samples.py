"""Samples of the sampling track, cut from 1X's raw shards: 17 past frames, 77 states, and the 77th frame as the target.

Frames are numbered from 0. Frames x_0 to x_16 and states s_0 to s_76 are given; x_76 is the target, 60 frames (2 s)
after x_16. A model with fewer past frames, or a lower frame rate, uses the past frames that end with x_16.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwm_core.data.episodes.windows import evenly_spaced, take_numbers, takes_of_starts, window_starts
from hwm_core.data.formats.onex_raw import OneXRawRecording
from hwm_core.data.recording.video_reader import VideoSpan
from hwm_core.data.robot.manifest import ActionManifest
from hwm_core.data.tokens.onex_files import shard_file, shard_states
from hwm_core.data.tokens.onex_joints import EVE_STATES
from hwm_core.errors import BadActions, BadBag, BadCheckpoint
from hwm_core.evaluation.counterfactual import apply_motion, choose_donors
from hwm_core.pretrained import file_sha256
from hwm_core.world_model.model import WorldModel

LENGTH, PAST_FRAMES = 77, 17
AHEAD = LENGTH - PAST_FRAMES  # 60 frames


@dataclass(frozen=True)
class ForecastSample:
    """The past and the actions from which the target frame is predicted."""

    number: int
    take: int  # number of the take over all shards; samples of one take are not independent
    name: str  # shard and first frame
    frames: NDArray[np.uint8]  # [P, h, w, 3] past frames, preprocessed for the model
    actions: NDArray[np.float32]  # [P + future, A] in joint units and manifest order, at the model's frame rate
    shuffled: NDArray[np.float32] | None  # [future, A] the motion of another sample; None for a single sample
    last: NDArray[np.uint8]  # [side, side, 3] the newest past frame
    truth: NDArray[np.uint8] | None  # [side, side, 3] the target frame; None in a hidden test set


def frames_per_step(world_model: WorldModel, frame_rate_hz: float) -> int:
    """Frames of the recording per frame of the model.

    Raises:
        BadActions: the model's actions are commands.
        BadCheckpoint: the model's frame rate or number of past frames does not fit the protocol.
    """
    if world_model.manifest.kind != "states":
        raise BadActions(
            "Actions of the model",
            expected="states: the challenge gives no commands",
            got=world_model.manifest.kind,
            remedy="Train on states, data.actions=states.",
        )
    ratio = frame_rate_hz / world_model.frame_rate_hz
    step = round(ratio)
    needed = (world_model.past_frames - 1) * step + 1
    if step < 1 or abs(ratio - step) > 0.02 * step or AHEAD % step or needed > PAST_FRAMES:
        raise BadCheckpoint(
            "Model",
            expected=f"a frame rate of which {frame_rate_hz:g} Hz and {AHEAD} frames are multiples, and a past of at "
            f"most {PAST_FRAMES} frames",
            got=f"{world_model.past_frames} past frames at {world_model.frame_rate_hz:g} Hz, which span {needed}",
            remedy="Train with fewer past latents, or with another --frame-skip.",
        )
    return step


def used_frames(world_model: WorldModel, step: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Numbers of the past and of the future frames of a sample that the model uses, every `step` frames."""
    past = np.arange(PAST_FRAMES - 1 - (world_model.past_frames - 1) * step, PAST_FRAMES, step)
    return past, np.arange(PAST_FRAMES - 1 + step, LENGTH, step)


def cut_forecast_samples(
    recordings: Sequence[OneXRawRecording],
    world_model: WorldModel,
    *,
    side: int,
    stride: int = LENGTH,
    limit: int | None = None,
    seed: int = 0,
) -> Iterator[ForecastSample]:
    """Samples every `stride` frames of every take. Each sample lies within one take. Frames are decoded on demand.

    Args:
        side: size of the target frame in pixels.
        limit: the maximum number of samples, spread evenly.
        seed: chooses the donors of the shuffled actions; a donor is from another take if there is one.

    Raises:
        BadBag: no take is long enough, or a shard is damaged.
        BadCheckpoint, BadActions, RobotMismatch: the model does not fit.
    """
    starts = [(shard, start) for shard, one in enumerate(recordings) for start in sample_starts(one, stride)]
    if not starts:
        raise BadBag(
            "Sampling track",
            expected=f"a take of {LENGTH} frames",
            got=f"none in {len(recordings)} shards",
            remedy="Use other shards.",
        )
    chosen = [starts[index] for index in evenly_spaced(limit or len(starts), len(starts))]
    takes = [take_numbers(_segments(recording)) for recording in recordings]
    take = takes_of_starts(chosen, takes)
    donor = choose_donors(take, np.array([start for _, start in chosen]), LENGTH, seed)
    sources = [None if index < 0 else (recordings[chosen[index][0]], chosen[index][1]) for index in donor]
    for shard, recording in enumerate(recordings):
        of_shard = [
            _Cut(number, int(take[number]), start, source)
            for number, ((own_shard, start), source) in enumerate(zip(chosen, sources, strict=True))
            if own_shard == shard
        ]
        if of_shard:
            yield from _cut(recording, of_shard, world_model, side)


def identity(recordings: Sequence[OneXRawRecording], stride: int = LENGTH, limit: int | None = None) -> str:
    """sha256 of the states, takes and videos of the shards, and of the options that choose the samples."""
    digest = hashlib.sha256(f"{stride} {limit}".encode())
    for one in recordings:
        for array in shard_states(one.path, one.shard, len(EVE_STATES)):
            digest.update(array.tobytes())
        digest.update(file_sha256(shard_file(one.path, "video", one.shard, "mp4")).encode())
    return digest.hexdigest()


def sample_starts(recording: OneXRawRecording, stride: int) -> list[int]:
    """The first frames of a shard's samples, every `stride` frames of each take."""
    return window_starts(_segments(recording), LENGTH, stride).tolist()


def _segments(recording: OneXRawRecording) -> NDArray[np.int32]:
    return shard_states(recording.path, recording.shard, len(EVE_STATES))[1]


@dataclass(frozen=True)
class _Cut:
    """Where a sample is cut from its shard."""

    number: int
    take: int
    start: int
    donor: tuple[OneXRawRecording, int] | None  # and its first frame


def _motion(
    recording: OneXRawRecording, start: int, future: NDArray[np.int64], manifest: ActionManifest
) -> NDArray[np.float32]:
    """[future, A] the change of the states from the newest past frame. Shards are large, so the file is read again."""
    values = _values(recording, manifest)
    return values[start + future] - values[start + PAST_FRAMES - 1]


def _values(recording: OneXRawRecording, manifest: ActionManifest) -> NDArray[np.float32]:
    """[F, A] the states in manifest order."""
    return shard_states(recording.path, recording.shard, len(EVE_STATES))[0][:, manifest.match(EVE_STATES)]


def _cut(
    recording: OneXRawRecording, cuts: Sequence[_Cut], world_model: WorldModel, side: int
) -> Iterator[ForecastSample]:
    """The samples of one shard, in order."""
    manifest = world_model.manifest
    step = frames_per_step(world_model, recording.frame_rate_hz)
    values = _values(recording, manifest)
    past, future = used_frames(world_model, step)
    target_size = world_model.preprocessing.model_copy(update={"height": side, "width": side})
    small: dict[int, NDArray[np.uint8]] = {}  # at the model's size
    large: dict[int, NDArray[np.uint8]] = {}  # at the target's size
    needed_small = {int(cut.start + frame) for cut in cuts for frame in past}
    needed_large = {cut.start + frame for cut in cuts for frame in (PAST_FRAMES - 1, LENGTH - 1)}
    waiting = list(cuts)
    remedy = "It is truncated, or belongs to another shard; download it again."
    video = VideoSpan(shard_file(recording.path, "video", recording.shard, "mp4"))
    images = video.decode_exactly(len(values), because="as the metadata say", remedy=remedy)
    for number, (_, image) in enumerate(images):
        if number in needed_small:
            small[number] = world_model.preprocessing.apply(image)
        if number in needed_large:
            large[number] = target_size.apply(image)
        while waiting and number == waiting[0].start + LENGTH - 1:
            cut = waiting.pop(0)
            start = cut.start
            shuffled = None
            if cut.donor is not None:
                motion = _motion(*cut.donor, future, manifest)
                shuffled = apply_motion(values[start + PAST_FRAMES - 1], motion, manifest)
            yield ForecastSample(
                number=cut.number,
                take=cut.take,
                name=f"{recording.name}_{start}",
                frames=np.stack([small[int(start + frame)] for frame in past]),
                actions=values[start + np.concatenate([past, future])],
                shuffled=shuffled,
                last=large[start + PAST_FRAMES - 1],
                truth=large[start + LENGTH - 1],
            )
            small = {frame: kept for frame, kept in small.items() if frame > start}
            large = {frame: kept for frame, kept in large.items() if frame > start}
