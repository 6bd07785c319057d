"""A store's pictures to tokens, in the layout of the 1X challenge's v2.0; resumable, a shard an episode.

Every clip is encoded alone. Frames at the end of a segment that fill no clip are left out, so that no clip straddles a
cut and none is partial. What 1X's metadata.json leaves unsaid stands in ours under `hwm`.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hwm_core.clips import num_frames
from hwm_core.data.atomic import new_file, write_json
from hwm_core.data.preprocessing import Preprocessing
from hwm_core.errors import BadBag, BadConfig
from hwm_core.types import Episode

_BEGUN = "tokenise.json"


class Encoder(Protocol):
    """What is wanted of a tokenizer."""

    temporal_factor: int
    codebook_size: int

    def encode(self, frames: Tensor) -> Tensor:
        """Frames float [B, F, 3, H, W] in [0, 1] -> tokens int64 [B, T, h, w]."""
        ...


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
    digest: str,
    latents: int = 3,
    batch: int = 8,
    device: torch.device | str = "cpu",
) -> Iterator[Tokenised]:
    """Write one shard after the other, and tell of each. Interrupted, it goes on to the same bytes.

    Args:
        digest: sha256 of the tokenizer's weights: a set is of one tokenizer.
        latents: of a clip.
        batch: clips encoded at once.

    Raises:
        BadConfig: the folder was begun with other episodes, another tokenizer or other settings.
        BadBag: no episodes.
    """
    if not episodes:
        raise BadBag("Tokenise", expected="episodes", got="none", remedy="Prepare the data first.")
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    frames = num_frames(latents, tokenizer.temporal_factor)
    settings = _settings(episodes, preprocessing, tokenizer, digest, frames)
    _begin(out / _BEGUN, settings)
    total, shape = 0, None
    for number, episode in enumerate(episodes):
        index = _clip_frames(episode, frames)
        path = out / f"metadata_{number}.json"
        kept = path.exists()
        if not kept:
            grid = _write_shard(out, number, episode, index, settings["kinds"], tokenizer, batch, device)
            write_json(path, {"shard_ind": number, "shard_num_frames": int(index.size), "shape": grid})
        shape = shape or json.loads(path.read_text())["shape"]
        total += int(index.size)
        yield Tokenised(episode.name, len(index), len(episode) - int(index.size), kept)
    if shape is None:
        raise BadBag(
            "Tokenise", expected=f"a stretch of {frames} frames", got="none", remedy="Use clips of fewer latents."
        )
    top = {"num_shards": len(episodes), "query": "", "hz": preprocessing.frame_rate_hz, "num_images": total}
    write_json(out / "metadata.json", {**top, "hwm": {**settings, "shape": shape}})


def _settings(
    episodes: Sequence[Episode], preprocessing: Preprocessing, tokenizer: Encoder, digest: str, frames: int
) -> dict[str, Any]:
    return {
        "clip_frames": frames,
        "vocabulary": tokenizer.codebook_size,
        "tokenizer": digest,
        "names": list(episodes[0].names),
        "kinds": [kind for kind in ("states", "commands") if all(getattr(one, kind) is not None for one in episodes)],
        "preprocessing": preprocessing.plain(),
        "episodes": [episode.name for episode in episodes],
    }


def _begin(path: Path, settings: Mapping[str, Any]) -> None:
    if not path.exists():
        write_json(path, settings)
    elif (begun := json.loads(path.read_text())) != settings:
        other = [key for key in settings if begun.get(key) != settings[key]]
        raise BadConfig(
            f"Folder {path.parent}",
            expected=f"the {', '.join(other)} it was begun with",
            got="others",
            remedy="Use another folder, or remove this one.",
        )


def _clip_frames(episode: Episode, frames: int) -> NDArray[np.int64]:
    """Frames of every clip, [C, frames]."""
    bounds = np.append(np.unique(episode.segments, return_index=True)[1], len(episode))
    starts = [start for a, b in pairwise(bounds) for start in range(int(a), int(b) - frames + 1, frames)]
    return np.array(starts, dtype=np.int64)[:, None] + np.arange(frames)


def _write_shard(
    out: Path,
    number: int,
    episode: Episode,
    index: NDArray[np.int64],
    kinds: Sequence[str],
    tokenizer: Encoder,
    batch: int,
    device: torch.device | str,
) -> list[int] | None:
    """Returns the shape [T, h, w] of its clips, if it has any."""
    shape = None
    flat = index.reshape(-1)
    for kind in {"states", *kinds}:
        # 1X's layout wants states; where only commands were recorded, `kinds` says that these are none.
        values = getattr(episode, kind) if kind in kinds else np.zeros((len(episode), len(episode.names)))
        _write_array(out / f"{kind}_{number}.bin", values[flat].astype(np.float32))
    _write_array(out / f"segment_idx_{number}.bin", episode.segments[flat].astype(np.int32))
    with new_file(out / f"video_{number}.bin") as partial, partial.open("wb") as file:
        for start in range(0, len(index), batch):
            pictures = torch.from_numpy(episode.frames[index[start : start + batch]]).to(device)
            with torch.inference_mode():
                tokens = tokenizer.encode(pictures.permute(0, 1, 4, 2, 3).float() / 255)
            shape = list(tokens.shape[1:])
            file.write(tokens.to(torch.int32).cpu().numpy().tobytes())
    return shape


def _write_array(path: Path, values: NDArray) -> None:
    with new_file(path) as partial:
        values.tofile(partial)
