"""A store's pictures to codes; resumable, a shard an episode, shards shared out over processes.

Without a stride: in the layout of the 1X challenge's v2.0, clip after clip. Frames at the end of a segment that fill no
clip are left out, so that no clip straddles a cut and none is partial.

With a stride of S frames: a cache to train on. Clips begin every S frames of a segment and overlap; each is encoded
alone, from its own first frame, as training encodes a window. Values and segments are there once for every frame, the
first frame of each clip is in starts_i.bin, and codes have the smallest type that holds them.

What 1X's metadata.json leaves unsaid stands in ours under `hwm`. The set is whole when metadata.json is there.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import ConfigDict, Field, ValidationInfo, field_validator
from torch import Tensor

from hwm_core.clips import num_frames
from hwm_core.config import Config
from hwm_core.data.episodes.windows import window_starts
from hwm_core.data.recording.preprocessing import Preprocessing
from hwm_core.data.tokens.onex import SETTINGS_FILE
from hwm_core.data.tokens.onex_metadata import ShardMetadata
from hwm_core.data.tokens.tokenizer_spec import TokenizerSpec, stored_dtype
from hwm_core.errors import BadBag, BadConfig
from hwm_core.frames import to_video
from hwm_core.io.atomic import new_file, write_json
from hwm_core.io.json_files import require_settings
from hwm_core.types import Episode


class Encoder(Protocol):
    """What is wanted of a tokenizer."""

    def encode(self, frames: Tensor) -> Tensor:
        """Frames float [B, F, 3, H, W] in [0, 1] -> codes [B, T, h, w(, C)]."""
        ...


class TokeniseOptions(Config):
    """What is written, and how it is computed."""

    model_config = ConfigDict(arbitrary_types_allowed=True)  # the device

    latents: int = Field(default=3, ge=1, description="of a clip")
    stride: int | None = Field(
        default=None, ge=1, description="frames between the starts of clips; None: 1X's layout, clip after clip"
    )
    exact: bool = Field(default=False, description="latents as float32, not float16")
    precision: Literal["bfloat16", "float32"] = Field(
        default="bfloat16", description="of the encoder; that of the training gives its very codes"
    )
    batch: int = Field(default=8, ge=1, description="clips encoded at once")
    device: torch.device | str = "cpu"
    world_size: int = Field(default=1, ge=1, description="processes that share out the shards")
    rank: int = Field(default=0, ge=0, description="of this one")

    @field_validator("rank")
    @classmethod
    def _one_of_them(cls, rank: int, known: ValidationInfo) -> int:
        if rank >= known.data.get("world_size", rank + 1):
            raise ValueError(f"less than the world size, {known.data['world_size']}")
        return rank


@dataclass(frozen=True)
class Tokenised:
    """What became of one episode."""

    name: str
    clips: int
    left_out: int  # frames that fill no clip
    kept: bool  # it was there already


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
    """Write this process's shards one after the other, and tell of each. Interrupted, it goes on to the same bytes.

    Args:
        spec: of the tokenizer: a set is of one.
        manifests: sha256 of the action manifests that belong to the set, by kind.

    Raises:
        BadConfig, BadBag: as `require_tokenisable`; a file of the set was cut.
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
        kept = path.exists()
        if not kept:
            frames, shape = _write_shard(out, number, episode, starts, settings, tokenizer, options)
            write_json(path, {"shard_ind": number, "shard_num_frames": frames, "shape": shape})
        covered = np.unique(starts[:, None] + np.arange(settings["clip_frames"])).size
        yield Tokenised(episode.name, len(starts), len(episode) - covered, kept)
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
    """That `tokenise` can be called so. Writes nothing.

    Raises:
        BadConfig: the folder was begun with other episodes, another tokenizer or other settings; continuous codes
            without a stride.
        BadBag: no episodes, or none with room for a clip; the file that says with what the folder was begun was cut.
    """
    options = options or TokeniseOptions()
    if not episodes:
        raise BadBag("Tokenise", expected="episodes", got="none", remedy="Prepare the data first.")
    settings = _settings(episodes, preprocessing, spec, options, manifests or {})
    frames = settings["clip_frames"]
    if not any(len(window_starts(episode.segments, frames, frames)) for episode in episodes):
        raise BadBag(
            "Tokenise", expected=f"a stretch of {frames} frames", got="none", remedy="Use clips of fewer latents."
        )
    if (begun := Path(out) / SETTINGS_FILE).exists():
        require_settings(begun, settings, remedy="Use another folder, or remove this one.")


def _settings(
    episodes: Sequence[Episode],
    preprocessing: Preprocessing,
    spec: TokenizerSpec,
    options: TokeniseOptions,
    manifests: Mapping[str, str],
) -> dict[str, Any]:
    dtype = "float32" if options.exact and spec.codes == "continuous" else stored_dtype(spec)
    if options.stride is None:
        if spec.codes == "continuous":
            raise BadConfig(
                "Tokenise",
                expected="a stride: 1X's layout has no place for latents",
                got=f"a tokenizer of the kind `{spec.kind}`",
                remedy="Add --stride N, the frames between the starts of clips.",
            )
        dtype = "int32"
    return {
        "clip_frames": num_frames(options.latents, spec.temporal_factor),
        "stride": options.stride,
        "dtype": dtype,
        "precision": options.precision,
        "codes": spec.plain(),
        "names": list(episodes[0].names),
        "kinds": [kind for kind in ("states", "commands") if all(getattr(one, kind) is not None for one in episodes)],
        "manifests": dict(manifests),
        "preprocessing": preprocessing.plain(),
        "episodes": [episode.name for episode in episodes],
    }


def _finish(out: Path, shards: int, hz: float, settings: Mapping[str, Any], rank: int) -> None:
    """The whole set's metadata, by whichever process finds all shards there; two that do write the same."""
    paths = [out / f"metadata_{number}.json" for number in range(shards)]
    if not all(path.exists() for path in paths):
        return
    told = [ShardMetadata.from_json(path, "Remove it; run again to make its shard anew.") for path in paths]
    shape = next((one.shape for one in told if one.shape), None)
    top = {"num_shards": shards, "query": "", "hz": hz, "num_images": sum(one.shard_num_frames for one in told)}
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
    """Returns the rows of values written, and the shape [T, h, w(, C)] of its clips, if it has any."""
    shape = None
    frames = starts[:, None] + np.arange(settings["clip_frames"])
    rows = frames.reshape(-1) if options.stride is None else np.arange(len(episode))
    for kind in {"states", *settings["kinds"]}:
        # 1X's layout wants states; where only commands were recorded, `kinds` says that these are none.
        wanted = kind in settings["kinds"]
        values = getattr(episode, kind) if wanted else np.zeros((len(episode), len(episode.names)))
        _write_array(out / f"{kind}_{number}.bin", values[rows].astype(np.float32))
    _write_array(out / f"segment_idx_{number}.bin", episode.segments[rows].astype(np.int32))
    if options.stride is not None:
        _write_array(out / f"starts_{number}.bin", starts)
    with new_file(out / f"video_{number}.bin") as partial, partial.open("wb") as file:
        for first in range(0, len(frames), options.batch):
            clips = to_video(episode.frames[frames[first : first + options.batch]], options.device)
            with torch.inference_mode(), _arithmetic(options):
                codes = tokenizer.encode(clips)
            shape = list(codes.shape[1:])
            file.write(codes.cpu().numpy().astype(settings["dtype"]).tobytes())
    return len(rows), shape


def _arithmetic(options: TokeniseOptions) -> AbstractContextManager:
    if options.precision == "float32":
        return nullcontext()
    return torch.autocast(torch.device(options.device).type, torch.bfloat16)


def _write_array(path: Path, values: NDArray) -> None:
    with new_file(path) as partial:
        values.tofile(partial)
