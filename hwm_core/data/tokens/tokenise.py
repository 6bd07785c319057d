"""Tokenises the episodes of a store into a token set, a shard for each episode.

Interrupted runs resume; several processes share the shards. The set is complete when metadata.json exists.

Without a stride, the set has the v2.0 format of the 1X challenge: clip follows clip. Frames at the end of a segment
that do not fill a clip are left out. So no clip contains a cut, and none is partial.

With a stride of S frames, the set is a cache of training windows. Clips begin every S frames of a segment and overlap.
Each clip is encoded alone from its first frame, as training encodes a window. Joint values and segments are stored once
for every frame. starts_i.bin has the first frame of each clip. Codes have the smallest type that holds them.

`metadata.json["hwm"]` records what the 1X format does not specify.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import ConfigDict, Field, ValidationInfo, field_validator
from torch import Tensor

from hwm_core.clips import num_frames
from hwm_core.config import Config
from hwm_core.data.episodes.windows import window_starts
from hwm_core.data.recording.preprocessing import Preprocessing
from hwm_core.data.tokens.onex_metadata import SETTINGS_FILE, ShardMetadata
from hwm_core.data.tokens.tokenizer_spec import TokenizerSpec, stored_dtype
from hwm_core.errors import BadBag, BadConfig
from hwm_core.frames import to_video
from hwm_core.io.atomic import new_file, write_json
from hwm_core.io.json_files import require_settings
from hwm_core.precision import autocast, precision_name, read_precision
from hwm_core.precision_name import Precision
from hwm_core.types import Episode


class Encoder(Protocol):
    """The part of a tokenizer that is used."""

    def encode(self, frames: Tensor) -> Tensor:
        """Frames float [B, F, 3, H, W] in [0, 1] -> codes [B, T, h, w(, C)]."""
        ...


class TokeniseOptions(Config):
    """What is written, and how it is computed."""

    model_config = ConfigDict(arbitrary_types_allowed=True)  # the device

    latents: int = Field(default=3, ge=1, description="latents of a clip")
    stride: int | None = Field(
        default=None, ge=1, description="frames between the starts of clips; None: the 1X format, clip after clip"
    )
    exact: bool = Field(default=False, description="store latents as float32, not float16")
    precision: Precision = Field(
        default="auto", description="precision of the encoder; the precision of the training gives the same codes"
    )
    batch: int = Field(default=8, ge=1, description="clips encoded at once")
    device: torch.device | str = "cpu"
    world_size: int = Field(default=1, ge=1, description="number of processes that share the shards")
    rank: int = Field(default=0, ge=0, description="number of this process")

    @field_validator("rank")
    @classmethod
    def _rank_is_in_the_world(cls, rank: int, known: ValidationInfo) -> int:
        if rank >= known.data.get("world_size", rank + 1):
            raise ValueError(f"less than the world size, {known.data['world_size']}")
        return rank


@dataclass(frozen=True)
class Tokenised:
    """The outcome for one episode."""

    name: str
    clips: int
    left_out: int  # frames that fill no clip
    existing: bool  # the shard was made by an earlier run


def tokenise(
    episodes: Sequence[Episode],
    preprocessing: Preprocessing,
    tokenizer: Encoder,
    out: str | Path,
    *,
    spec: TokenizerSpec,
    options: TokeniseOptions | None = None,
    manifests: Mapping[str, str] | None = None,
) -> Iterator[Tokenised]:
    """Write the shards of this process, and yield the outcome of each. An interrupted run resumes to the same bytes.

    Args:
        episodes: all episodes of the set.
        preprocessing: preprocessing of the episodes.
        tokenizer: encodes the frames.
        out: folder of the set.
        spec: spec of the tokenizer.
        options: what is written, and how it is computed.
        manifests: {kind: sha256} of the action manifests that belong to the set.

    Raises:
        BadConfig, BadBag: as `require_tokenisable`, or a file of the set was truncated.
    """
    options, out = options or TokeniseOptions(), Path(out)
    require_tokenisable(episodes, preprocessing, out, spec=spec, options=options, manifests=manifests)
    settings = _settings(episodes, preprocessing, spec, options, manifests or {})
    if not (out / SETTINGS_FILE).exists():
        write_json(out / SETTINGS_FILE, settings, tag=options.rank)
    for number in range(options.rank, len(episodes), options.world_size):
        episode = episodes[number]
        starts = window_starts(episode.segments, settings["clip_frames"], options.stride or settings["clip_frames"])
        path = out / f"metadata_{number}.json"
        existing = path.exists()
        if not existing:
            frames, shape = _write_shard(out, number, episode, starts, settings, tokenizer, options)
            write_json(path, {"shard_ind": number, "shard_num_frames": frames, "shape": shape})
        covered = np.unique(starts[:, None] + np.arange(settings["clip_frames"])).size
        yield Tokenised(episode.name, len(starts), len(episode) - covered, existing)
    _finish(out, len(episodes), preprocessing.frame_rate_hz, settings, options.rank)


def require_tokenisable(
    episodes: Sequence[Episode],
    preprocessing: Preprocessing,
    out: str | Path,
    *,
    spec: TokenizerSpec,
    options: TokeniseOptions | None = None,
    manifests: Mapping[str, str] | None = None,
) -> None:
    """Check that `tokenise` accepts these arguments. Writes nothing.

    Raises:
        BadConfig: the folder has other episodes, another tokenizer or other settings; or latents without a stride.
        BadBag: there are no episodes, none has room for a clip, or the settings file of the folder was truncated.
    """
    options = options or TokeniseOptions()
    if not episodes:
        raise BadBag("Tokenise", expected="episodes", got="none", remedy="Prepare the data first.")
    settings = _settings(episodes, preprocessing, spec, options, manifests or {})
    frames = settings["clip_frames"]
    if not any(len(window_starts(episode.segments, frames, frames)) for episode in episodes):
        raise BadBag(
            "Tokenise",
            expected=f"a segment of at least {frames} frames",
            got="none",
            remedy="Use clips of fewer latents.",
        )
    if (path := Path(out) / SETTINGS_FILE).exists():
        require_settings(path, settings, remedy="Use another folder, or remove this one.")


def _settings(
    episodes: Sequence[Episode],
    preprocessing: Preprocessing,
    spec: TokenizerSpec,
    options: TokeniseOptions,
    manifests: Mapping[str, str],
) -> dict[str, Any]:
    """What must not change when an interrupted run resumes; the `hwm` part of metadata.json."""
    dtype = "float32" if options.exact and spec.codes == "continuous" else stored_dtype(spec)
    if options.stride is None:
        if spec.codes == "continuous":
            raise BadConfig(
                "Tokenise",
                expected="a stride, because the 1X format has no latents",
                got=f"a tokenizer of the kind `{spec.kind}`",
                remedy="Add --stride N, the frames between the starts of clips.",
            )
        dtype = "int32"
    return {
        "clip_frames": num_frames(options.latents, spec.temporal_factor),
        "stride": options.stride,
        "dtype": dtype,
        "precision": precision_name(_dtype(options)),
        "tokenizer": spec.plain(),
        "names": list(episodes[0].names),
        "kinds": [kind for kind in ("states", "commands") if all(getattr(one, kind) is not None for one in episodes)],
        "manifests": dict(manifests),
        "preprocessing": preprocessing.plain(),
        "episodes": [episode.name for episode in episodes],
    }


def _finish(out: Path, shards: int, hz: float, settings: Mapping[str, Any], rank: int) -> None:
    """Write metadata.json once all shards exist. Two processes that both find them write the same bytes."""
    paths = [out / f"metadata_{number}.json" for number in range(shards)]
    if not all(path.exists() for path in paths):
        return
    remedy = "Remove it, and run again to make its shard from scratch."
    metadata = [ShardMetadata.from_json(path, remedy) for path in paths]
    shape = next((one.shape for one in metadata if one.shape), None)
    images = sum(one.shard_num_frames for one in metadata)
    top = {"num_shards": shards, "query": "", "hz": hz, "num_images": images}
    write_json(out / "metadata.json", {**top, "hwm": {**settings, "shape": shape}}, tag=rank)


def _write_shard(
    out: Path,
    number: int,
    episode: Episode,
    starts: NDArray[np.int64],
    settings: Mapping[str, Any],
    tokenizer: Encoder,
    options: TokeniseOptions,
) -> tuple[int, list[int] | None]:
    """Returns the number of frames with joint values, and the shape [T, h, w(, C)] of the clips, if there are any."""
    shape = None
    clips = starts[:, None] + np.arange(settings["clip_frames"])
    frames = clips.reshape(-1) if options.stride is None else np.arange(len(episode))
    for kind in {"states", *settings["kinds"]}:
        # The 1X format requires states: without recorded states they are zeros, and `kinds` lists only commands.
        recorded = kind in settings["kinds"]
        values = getattr(episode, kind) if recorded else np.zeros((len(episode), len(episode.names)))
        _write_array(out / f"{kind}_{number}.bin", values[frames].astype(np.float32))
    _write_array(out / f"segment_idx_{number}.bin", episode.segments[frames].astype(np.int32))
    if options.stride is not None:
        _write_array(out / f"starts_{number}.bin", starts)
    with new_file(out / f"video_{number}.bin") as partial, partial.open("wb") as file:
        for first in range(0, len(clips), options.batch):
            video = to_video(episode.frames[clips[first : first + options.batch]], options.device)
            with torch.inference_mode(), autocast(torch.device(options.device), _dtype(options)):
                codes = tokenizer.encode(video)
            shape = list(codes.shape[1:])
            file.write(codes.cpu().numpy().astype(settings["dtype"]).tobytes())
    return len(frames), shape


def _dtype(options: TokeniseOptions) -> torch.dtype:
    return read_precision(options.precision, torch.device(options.device))


def _write_array(path: Path, values: NDArray) -> None:
    with new_file(path) as partial:
        values.tofile(partial)
