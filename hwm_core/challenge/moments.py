"""Moments of the sampling track, cut from 1X's raw shards: 17 frames and 77 states seen, the 77th frame to come.

Frames are numbered from 0: x_0..x_16 are seen, s_0..s_76 are given, x_76 is judged, 60 frames (2 s) after x_16. A
model that sees fewer frames, or at a lower rate, takes those that end with x_16.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwm_core.data.onex import EVE_STATES, shard_file, shard_states
from hwm_core.data.onex_raw import OneXRawRecording
from hwm_core.data.video import Clip
from hwm_core.data.windows import spread, starts_within, takes_of
from hwm_core.errors import BadActions, BadBag, BadCheckpoint
from hwm_core.world_model import WorldModel

LENGTH, SEEN = 77, 17
AHEAD = LENGTH - SEEN  # 60 frames


@dataclass(frozen=True)
class Moment:
    """One thing to predict."""

    number: int
    take: int  # the stretch between cuts it is of, over all shards; moments of one resemble each other
    name: str  # shard and first frame
    frames: NDArray[np.uint8]  # [P, h, w, 3] as the model sees them
    actions: NDArray[np.float32]  # [P + future, A] in joint units and manifest order, at the model's rate
    last: NDArray[np.uint8]  # [side, side, 3] the last frame seen
    truth: NDArray[np.uint8]  # [side, side, 3] the frame to come


def frames_per_step(world_model: WorldModel, frame_rate_hz: float) -> int:
    """Frames of the recording for each of the model's. Raises BadCheckpoint where the protocol does not fit it."""
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


def cut_moments(
    recordings: Sequence[OneXRawRecording],
    world_model: WorldModel,
    *,
    side: int,
    stride: int = LENGTH,
    limit: int | None = None,
) -> Iterator[Moment]:
    """Moments every `stride` frames of every take, none across a cut and none partial; decoded as they are asked for.

    Args:
        side: pixels of the frame that is judged.
        limit: at most so many, spread evenly over all.

    Raises:
        BadBag: no take is long enough, or a shard is damaged.
        BadCheckpoint, BadActions, RobotMismatch: a model that does not fit.
    """
    starts = [(place, start) for place, one in enumerate(recordings) for start in moment_starts(one, stride)]
    if not starts:
        raise BadBag(
            "Sampling track",
            expected=f"a take of {LENGTH} frames",
            got=f"none in {len(recordings)} shards",
            remedy="Use other shards.",
        )
    chosen = [starts[index] for index in spread(limit or len(starts), len(starts))]
    takes = [takes_of(_segments(recording)) for recording in recordings]
    _, of_take = np.unique([(place, takes[place][start]) for place, start in chosen], axis=0, return_inverse=True)
    for place, recording in enumerate(recordings):
        mine = [(number, int(of_take[number]), start) for number, (of, start) in enumerate(chosen) if of == place]
        if mine:
            yield from _cut(recording, mine, world_model, side)


def identity(recordings: Sequence[OneXRawRecording]) -> str:
    """sha256 of the states and takes of these shards: what tells one set from another."""
    digest = hashlib.sha256()
    for one in recordings:
        for array in shard_states(one.path, one.shard, len(EVE_STATES)):
            digest.update(array.tobytes())
    return digest.hexdigest()


def moment_starts(recording: OneXRawRecording, stride: int) -> list[int]:
    """First frames of the moments of a shard, every `stride` frames of each take."""
    return starts_within(_segments(recording), LENGTH, stride).tolist()


def _segments(recording: OneXRawRecording) -> NDArray[np.int32]:
    return shard_states(recording.path, recording.shard, len(EVE_STATES))[1]


def _cut(
    recording: OneXRawRecording, wanted: Sequence[tuple[int, int, int]], world_model: WorldModel, side: int
) -> Iterator[Moment]:
    """Those of one shard: number, take and first frame of each, in order."""
    step = frames_per_step(world_model, recording.frame_rate_hz)
    states, _ = shard_states(recording.path, recording.shard, len(EVE_STATES))
    values = states[:, world_model.manifest.match(EVE_STATES)]
    past = np.arange(SEEN - 1 - (world_model.past_frames - 1) * step, SEEN, step)
    future = np.arange(SEEN - 1 + step, LENGTH, step)
    whole = world_model.preprocessing.model_copy(update={"height": side, "width": side})
    small: dict[int, NDArray[np.uint8]] = {}
    large: dict[int, NDArray[np.uint8]] = {}
    needed_small = {int(start + frame) for _, _, start in wanted for frame in past}
    needed_large = {start + frame for _, _, start in wanted for frame in (SEEN - 1, LENGTH - 1)}
    waiting = list(wanted)
    remedy = "It was cut, or belongs to another shard; download it again."
    video = Clip(shard_file(recording.path, "video", recording.shard, "mp4"))
    pictures = video.decode_exactly(len(states), because="as the metadata say", remedy=remedy)
    for number, (_, picture) in enumerate(pictures):
        if number in needed_small:
            small[number] = world_model.preprocessing.apply(picture)
        if number in needed_large:
            large[number] = whole.apply(picture)
        while waiting and number == waiting[0][2] + LENGTH - 1:
            which, take, start = waiting.pop(0)
            yield Moment(
                number=which,
                take=take,
                name=f"{recording.name}_{start}",
                frames=np.stack([small[int(start + frame)] for frame in past]),
                actions=values[start + np.concatenate([past, future])],
                last=large[start + SEEN - 1],
                truth=large[start + LENGTH - 1],
            )
            small = {frame: one for frame, one in small.items() if frame > start}
            large = {frame: one for frame, one in large.items() if frame > start}
