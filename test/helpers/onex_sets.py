"""Small sets in the formats of the 1X World Model Challenge."""

import json
from pathlib import Path

import numpy as np
from recordings import write_video

Cut = int | tuple[int, ...]  # first frames of the takes after the first


def tokens_v2(path: Path, frames: tuple[int, ...] = (51, 40), folders: bool = False, cut: Cut = 0) -> Path:
    """Shards whose clip c has the code c everywhere; every value of state t is t. A new take starts at each `cut`."""
    for number, count in enumerate(frames):
        clips = -(-count // 17)
        tokens = np.broadcast_to(np.arange(clips)[:, None, None, None], (clips, 3, 32, 32)).astype(np.int32)
        _shard(path, number, count, cut, folders)
        tokens.tofile(_place(path, "videos", folders) / f"video_{number}.bin")
    top = {"num_shards": len(frames), "query": "", "hz": 30, "num_images": sum(frames)}
    (path / "metadata.json").write_text(json.dumps(top))
    return path


def compression_test_v2(path: Path, numbers: tuple[int, ...] = (0, 1)) -> Path:
    """Samples of the compression track: three grids filled with the sample's number, and 64 states."""
    path.mkdir(parents=True)
    for number in numbers:
        np.full((3, 32, 32), number, np.int32).tofile(path / f"video_{number}.bin")
        np.full((64, 25), number / 10, np.float32).tofile(path / f"states_{number}.bin")
    return path


def raw_v2(path: Path, frames: int = 20, cut: Cut = 0, video_frames: int | None = None, step: int = 10) -> Path:
    """One shard whose frame t has the grey value `step` t. The video has `video_frames`; None: `frames`."""
    _shard(path, 0, frames, cut, folders=True)
    video = _place(path, "videos", True) / "video_0.mp4"
    write_video(video, frames if video_frames is None else video_frames, "mpeg4", height=64, step=step)
    (path / "metadata.json").write_text(json.dumps({"num_shards": 1, "hz": 30}))
    return path


def hidden_v2(path: Path, numbers: tuple[int, ...], frames: int = 17) -> Path:
    """Samples of a hidden test set of the sampling track: frame t is grey with level t, and so are the 77 states."""
    path.mkdir(parents=True)
    for number in numbers:
        write_video(path / f"video_{number}.mp4", frames, "mpeg4", height=64, step=1)
        np.repeat(np.arange(77)[:, None], 25, axis=1).astype(np.float32).tofile(path / f"states_{number}.bin")
    return path


def tokens_v1(path: Path, frames: int = 30, cut: int = 12) -> Path:
    """Frame t has the code 200000 + t everywhere, which int16 cannot hold; two takes."""
    (path / "actions").mkdir(parents=True)
    t = np.arange(frames)
    np.broadcast_to(200_000 + t[:, None, None], (frames, 16, 16)).astype(np.uint32).tofile(path / "video.bin")
    (t >= cut).astype(np.int32).tofile(path / "segment_ids.bin")
    widths = {"joint_pos": 21, "driving_command": 2, "neck_desired": 1, "l_hand_closure": 1, "r_hand_closure": 1}
    for name, width in widths.items():
        np.repeat(t[:, None], width, axis=1).astype(np.float32).tofile(path / "actions" / f"{name}.bin")
    top = {"num_images": frames, "s": 16, "vocab_size": 2**18, "hz": 30, "token_dtype": "uint32"}
    (path / "metadata.json").write_text(json.dumps(top))
    return path


def _shard(path: Path, number: int, frames: int, cut: Cut, folders: bool) -> None:
    t = np.arange(frames)
    np.repeat(t[:, None], 25, axis=1).astype(np.float32).tofile(
        _place(path, "robot_states", folders) / f"states_{number}.bin"
    )
    cuts = (cut,) if isinstance(cut, int) else cut
    segments = sum((t >= one for one in cuts if one), np.zeros(frames))
    segments.astype(np.int32).tofile(_place(path, "segment_indices", folders) / f"segment_idx_{number}.bin")
    (_place(path, "metadata", folders) / f"metadata_{number}.json").write_text(json.dumps({"shard_num_frames": frames}))


def _place(path: Path, folder: str, folders: bool) -> Path:
    place = path / folder if folders else path
    place.mkdir(parents=True, exist_ok=True)
    return place
