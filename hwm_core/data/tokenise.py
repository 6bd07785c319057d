"""A store's pictures to codes; resumable, a shard an episode, shards shared out over processes.

Without a stride: in the layout of the 1X challenge's v2.0, clip after clip. Frames at the end of a segment that fill no
clip are left out, so that no clip straddles a cut and none is partial.

With a stride of S frames: a cache to train on. Clips begin every S frames of a segment and overlap; each is encoded
alone, from its own first frame, as training encodes a window. Values and segments are there once for every frame, the
first frame of each clip is in starts_i.bin, and codes have the smallest type that holds them.

What 1X's metadata.json leaves unsaid stands in ours under `hwm`. The set is whole when metadata.json is there.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hwm_core.clips import num_frames
from hwm_core.config import differences
from hwm_core.data.atomic import new_file, write_json
from hwm_core.data.codes import CodeSpec, stored_dtype
from hwm_core.data.preprocessing import Preprocessing
from hwm_core.data.windows import valid_starts
from hwm_core.errors import BadBag, BadConfig
from hwm_core.frames import to_video
from hwm_core.types import Episode

_BEGUN = "tokenise.json"


class Encoder(Protocol):
    """What is wanted of a tokenizer."""

    def encode(self, frames: Tensor) -> Tensor:
        """Frames float [B, F, 3, H, W] in [0, 1] -> codes [B, T, h, w(, C)]."""
        ...


@dataclass(frozen=True)
class TokeniseOptions:
    """What is written, and how it is computed."""

    latents: int = 3  # of a clip
    stride: int | None = None  # frames between the starts of clips; None: 1X's layout, clip after clip
    exact: bool = False  # latents as float32, not float16
    precision: Literal["bfloat16", "float32"] = "bfloat16"  # of the encoder; that of the training gives its very codes
    batch: int = 8  # clips encoded at once
    device: torch.device | str = "cpu"
    rank: int = 0  # of `world_size` processes that share out the shards
    world_size: int = 1


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
    spec: CodeSpec,
    options: TokeniseOptions | None = None,
    manifests: Mapping[str, str] | None = None,
) -> Iterator[Tokenised]:
    """Write this process's shards one after the other, and tell of each. Interrupted, it goes on to the same bytes.

    Args:
        spec: of the tokenizer: a set is of one.
        manifests: sha256 of the action manifests that belong to the set, by kind.

    Raises:
        BadConfig: the folder was begun with other episodes, another tokenizer or other settings.
        BadBag: no episodes, or none with room for a clip.
    """
    options = options or TokeniseOptions()
    if not episodes:
        raise BadBag("Tokenise", expected="episodes", got="none", remedy="Prepare the data first.")
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    settings = _settings(episodes, preprocessing, spec, options, manifests or {})
    _begin(out / _BEGUN, settings, options.rank)
    for number in range(options.rank, len(episodes), options.world_size):
        episode = episodes[number]
        starts = valid_starts(episode, settings["clip_frames"], options.stride or settings["clip_frames"])
        path = out / f"metadata_{number}.json"
        kept = path.exists()
        if not kept:
            frames, shape = _write_shard(out, number, episode, starts, settings, tokenizer, options)
            write_json(path, {"shard_ind": number, "shard_num_frames": frames, "shape": shape})
        covered = np.unique(starts[:, None] + np.arange(settings["clip_frames"])).size
        yield Tokenised(episode.name, len(starts), len(episode) - covered, kept)
    _finish(out, len(episodes), preprocessing.frame_rate_hz, settings, options.rank)


def _settings(
    episodes: Sequence[Episode],
    preprocessing: Preprocessing,
    spec: CodeSpec,
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


def _begin(path: Path, settings: Mapping[str, Any], rank: int) -> None:
    if not path.exists():
        write_json(path, settings, tag=rank)
    elif (begun := json.loads(path.read_text())) != settings:
        other = [key for key in settings if begun.get(key) != settings[key]]
        raise BadConfig(
            f"Folder {path.parent}",
            expected=f"the {', '.join(other)} it was begun with",
            got=differences(begun, settings),
            remedy="Use another folder, or remove this one.",
        )


def _finish(out: Path, shards: int, hz: float, settings: Mapping[str, Any], rank: int) -> None:
    """The whole set's metadata, by whichever process finds all shards there; two that do write the same."""
    paths = [out / f"metadata_{number}.json" for number in range(shards)]
    if not all(path.exists() for path in paths):
        return
    told = [json.loads(path.read_text()) for path in paths]
    shape = next((one["shape"] for one in told if one["shape"]), None)
    if shape is None:
        frames = settings["clip_frames"]
        raise BadBag(
            "Tokenise", expected=f"a stretch of {frames} frames", got="none", remedy="Use clips of fewer latents."
        )
    top = {"num_shards": shards, "query": "", "hz": hz, "num_images": sum(one["shard_num_frames"] for one in told)}
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
