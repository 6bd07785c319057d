"""Moments of the sampling track, cut from 1X's raw shards: 17 frames and 77 states seen, the 77th frame to come.

Frames are numbered from 0: x_0..x_16 are seen, s_0..s_76 are given, x_76 is judged, 60 frames (2 s) after x_16. A
model that sees fewer frames, or at a lower rate, takes those that end with x_16.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwm_core.data.episodes.windows import evenly_spaced, take_numbers, window_starts
from hwm_core.data.formats.onex_raw import OneXRawRecording
from hwm_core.data.recording.video_reader import VideoSpan
from hwm_core.data.robot.manifest import ActionManifest
from hwm_core.data.tokens.onex_files import shard_file, shard_states
from hwm_core.data.tokens.onex_joints import EVE_STATES
from hwm_core.errors import BadActions, BadBag, BadCheckpoint
from hwm_core.evaluation.counterfactual import apply_motion, choose_donors
from hwm_core.world_model.model import WorldModel

LENGTH, SEEN = 77, 17
AHEAD = LENGTH - SEEN  # 60 frames


@dataclass(frozen=True)
class ForecastSample:
    """One thing to predict."""

    number: int
    take: int  # the stretch between cuts it is of, over all shards; moments of one resemble each other
    name: str  # shard and first frame
    frames: NDArray[np.uint8]  # [P, h, w, 3] as the model sees them
    actions: NDArray[np.float32]  # [P + future, A] in joint units and manifest order, at the model's rate
    borrowed: NDArray[np.float32] | None  # [future, A] another one's motion from the own state; None of one alone
    last: NDArray[np.uint8]  # [side, side, 3] the last frame seen
    truth: NDArray[np.uint8]  # [side, side, 3] the frame to come


def frames_per_step(world_model: WorldModel, frame_rate_hz: float) -> int:
    """Frames of the recording for each of the model's.

    Raises:
        BadActions: a model of commands.
        BadCheckpoint: one whose rate or past the protocol does not fit.
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
    if step < 1 or abs(ratio - step) > 0.02 * step or AHEAD % step or needed > SEEN:
        raise BadCheckpoint(
            "Model",
            expected=f"a rate of which {frame_rate_hz:g} Hz and {AHEAD} frames are multiples, and {SEEN} frames seen",
            got=f"{world_model.past_frames} frames at {world_model.frame_rate_hz:g} Hz, which span {needed}",
            remedy="Train with fewer past latents, or on another --frame-skip.",
        )
    return step


def cut_forecast_samples(
    recordings: Sequence[OneXRawRecording],
    world_model: WorldModel,
    *,
    side: int,
    stride: int = LENGTH,
    limit: int | None = None,
    seed: int = 0,
) -> Iterator[ForecastSample]:
    """Moments every `stride` frames of every take, none across a cut and none partial; decoded as they are asked for.

    Args:
        side: pixels of the frame that is judged.
        limit: at most so many, spread evenly over all.
        seed: of the borrowing: motion is that of another take where there is one.

    Raises:
        BadBag: no take is long enough, or a shard is damaged.
        BadCheckpoint, BadActions, RobotMismatch: a model that does not fit.
    """
    starts = [(place, start) for place, one in enumerate(recordings) for start in sample_starts(one, stride)]
    if not starts:
        raise BadBag(
            "Sampling track",
            expected=f"a take of {LENGTH} frames",
            got=f"none in {len(recordings)} shards",
            remedy="Use other shards.",
        )
    chosen = [starts[index] for index in evenly_spaced(limit or len(starts), len(starts))]
    takes = [take_numbers(_segments(recording)) for recording in recordings]
    _, of_take = np.unique([(place, takes[place][start]) for place, start in chosen], axis=0, return_inverse=True)
    of_take = of_take.reshape(-1)
    lent = choose_donors(of_take, np.array([start for _, start in chosen]), LENGTH, seed)
    lend = [None if place < 0 else (recordings[chosen[place][0]], chosen[place][1]) for place in lent]
    for place, recording in enumerate(recordings):
        mine = [
            _Wanted(number, int(of_take[number]), start, donor)
            for number, ((of, start), donor) in enumerate(zip(chosen, lend, strict=True))
            if of == place
        ]
        if mine:
            yield from _cut(recording, mine, world_model, side)


def identity(recordings: Sequence[OneXRawRecording], stride: int = LENGTH, limit: int | None = None) -> str:
    """sha256 of the states and takes of these shards, and which moments are cut: what tells one set from another."""
    digest = hashlib.sha256(f"{stride} {limit}".encode())
    for one in recordings:
        for array in shard_states(one.path, one.shard, len(EVE_STATES)):
            digest.update(array.tobytes())
    return digest.hexdigest()


def sample_starts(recording: OneXRawRecording, stride: int) -> list[int]:
    """First frames of the moments of a shard, every `stride` frames of each take."""
    return window_starts(_segments(recording), LENGTH, stride).tolist()


def _segments(recording: OneXRawRecording) -> NDArray[np.int32]:
    return shard_states(recording.path, recording.shard, len(EVE_STATES))[1]


@dataclass(frozen=True)
class _Wanted:
    number: int
    take: int
    start: int
    donor: tuple[OneXRawRecording, int] | None  # and its first frame


def _motion(
    recording: OneXRawRecording, start: int, future: NDArray[np.int64], manifest: ActionManifest
) -> NDArray[np.float32]:
    """[future, A] how the states of a moment move away from its last frame seen; read anew, shards are large."""
    values = _values(recording, manifest)
    return values[start + future] - values[start + SEEN - 1]


def _values(recording: OneXRawRecording, manifest: ActionManifest) -> NDArray[np.float32]:
    """[F, A] in manifest order."""
    return shard_states(recording.path, recording.shard, len(EVE_STATES))[0][:, manifest.match(EVE_STATES)]


def _cut(
    recording: OneXRawRecording, wanted: Sequence[_Wanted], world_model: WorldModel, side: int
) -> Iterator[ForecastSample]:
    """Those of one shard, in order."""
    manifest = world_model.manifest
    step = frames_per_step(world_model, recording.frame_rate_hz)
    values = _values(recording, manifest)
    past = np.arange(SEEN - 1 - (world_model.past_frames - 1) * step, SEEN, step)
    future = np.arange(SEEN - 1 + step, LENGTH, step)
    whole = world_model.preprocessing.model_copy(update={"height": side, "width": side})
    small: dict[int, NDArray[np.uint8]] = {}
    large: dict[int, NDArray[np.uint8]] = {}
    starts = [one.start for one in wanted]
    needed_small = {int(start + frame) for start in starts for frame in past}
    needed_large = {start + frame for start in starts for frame in (SEEN - 1, LENGTH - 1)}
    waiting = list(wanted)
    remedy = "It was cut, or belongs to another shard; download it again."
    video = VideoSpan(shard_file(recording.path, "video", recording.shard, "mp4"))
    pictures = video.decode_exactly(len(values), because="as the metadata say", remedy=remedy)
    for number, (_, picture) in enumerate(pictures):
        if number in needed_small:
            small[number] = world_model.preprocessing.apply(picture)
        if number in needed_large:
            large[number] = whole.apply(picture)
        while waiting and number == waiting[0].start + LENGTH - 1:
            one = waiting.pop(0)
            start = one.start
            borrowed = None
            if one.donor is not None:
                motion = _motion(*one.donor, future, manifest)
                borrowed = apply_motion(values[start + SEEN - 1], motion, manifest)
            yield ForecastSample(
                number=one.number,
                take=one.take,
                name=f"{recording.name}_{start}",
                frames=np.stack([small[int(start + frame)] for frame in past]),
                actions=values[start + np.concatenate([past, future])],
                borrowed=borrowed,
                last=large[start + SEEN - 1],
                truth=large[start + LENGTH - 1],
            )
            small = {frame: picture for frame, picture in small.items() if frame > start}
            large = {frame: picture for frame, picture in large.items() if frame > start}
