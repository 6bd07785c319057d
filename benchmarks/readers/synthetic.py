"""Synthetic recordings and token sets in every format that hwm reads."""

import json
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from benchmarks.readers.sqlite_bag import as_sqlite3
from hwm_core.data.discover import find_recordings
from hwm_core.data.lerobot.export import LeRobotOptions, write_lerobot
from hwm_core.data.recording.recording import Recording
from hwm_core.data.robot.manifest import fit_manifest
from hwm_core.data.rosbag2.export import write_rosbag2
from hwm_core.data.rosbag2.topics import Topics
from hwm_core.data.tokens.onex import open_tokens
from hwm_core.data.tokens.onex_joints import EVE_STATES
from hwm_core.data.tokens.windows import TokenWindows

JOINTS = tuple(f"joint_{number}" for number in range(16))


def recordings(folder: Path, frames: int) -> tuple[Recording, dict[str, Path]]:
    """One synthetic recording of `frames` frames in every format; the recording and {format: path}."""
    write_video(folder / "video" / "run.mp4", frames)
    (source,) = find_recordings(folder / "video", Topics())
    paths = {"video and table (mpeg4)": folder / "video"}
    for encoding in ("jpeg", "raw"):
        paths[f"rosbag2, mcap ({encoding})"] = folder / encoding
        write_rosbag2(source.events(), folder / encoding, Topics(), encoding)
    paths["rosbag2, sqlite3 (jpeg)"] = as_sqlite3(folder / "jpeg", folder / "sqlite3")
    for version, codec in (("v2.1", "h264"), ("v2.1", "av1"), ("v3.0", "h264"), ("v3.0", "av1")):
        path = paths[f"LeRobot {version} ({codec})"] = folder / f"{version}_{codec}"
        write_lerobot([source], path, LeRobotOptions(version=version, codec=codec))  # type: ignore[arg-type]
    paths["1X v2.0 raw (mpeg4)"] = onex_raw(folder / "raw_v2.0", frames)
    return source, paths


def write_video(path: Path, frames: int, size: tuple[int, int] = (640, 480)) -> None:
    """A video of a moving pattern with noise, and a CSV file of joint states.

    Args:
        size: width and height in pixels.
    """
    rng, (width, height) = np.random.default_rng(0), size
    y, x = np.mgrid[0:height, 0:width]
    path.parent.mkdir(parents=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=Fraction(30))
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for t in range(frames):
            waves = [127 + 100 * np.sin((x * (1 + c) + 2 * y + 9 * t) / 60) for c in range(3)]
            image = np.stack(waves, axis=-1) + rng.normal(scale=4, size=(height, width, 3))
            frame = av.VideoFrame.from_ndarray(image.clip(0, 255).astype(np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    values = np.cumsum(rng.normal(scale=0.02, size=(frames, len(JOINTS))), axis=0)
    rows = [",".join(f"state.{name}" for name in JOINTS), *(",".join(f"{v:.5f}" for v in row) for row in values)]
    path.with_suffix(".csv").write_text("\n".join(rows) + "\n")


def onex_raw(path: Path, frames: int) -> Path:
    """A shard of a 1X v2.0 raw set."""
    write_video(path / "video_0.mp4", frames, (512, 512))
    _write_shard_files(path, frames)
    return path


def onex_v2_tokens(path: Path, frames: int) -> TokenWindows:
    """A shard of a 1X v2.0 token set with random codes."""
    rng, clips = np.random.default_rng(0), frames // 17
    path.mkdir()
    rng.integers(0, 64000, (clips, 3, 32, 32), dtype=np.int32).tofile(path / "video_0.bin")
    return _windows(path, _write_shard_files(path, clips * 17), latents=3)


def onex_v1_tokens(path: Path, frames: int) -> TokenWindows:
    """A 1X v1.1 token set with random codes."""
    rng = np.random.default_rng(0)
    (path / "actions").mkdir(parents=True)
    rng.integers(0, 2**18, (frames, 16, 16), dtype=np.uint32).tofile(path / "video.bin")
    np.zeros(frames, np.int32).tofile(path / "segment_ids.bin")
    widths = {"joint_pos": 21, "driving_command": 2, "neck_desired": 1, "l_hand_closure": 1, "r_hand_closure": 1}
    for name, width in widths.items():
        rng.normal(size=(frames, width)).astype(np.float32).tofile(path / "actions" / f"{name}.bin")
    metadata = {"num_images": frames, "s": 16, "vocab_size": 2**18, "hz": 30, "token_dtype": "uint32"}
    (path / "metadata.json").write_text(json.dumps(metadata))
    (episode,) = open_tokens(path)
    assert episode.states is not None
    return _windows(path, episode.states, latents=16, names=episode.names)


def _write_shard_files(path: Path, frames: int) -> NDArray[np.float32]:
    """Write the files of a v2.0 shard other than its video; returns the states [F, 25]."""
    states = np.random.default_rng(1).normal(size=(frames, len(EVE_STATES))).astype(np.float32)
    states.tofile(path / "states_0.bin")
    np.zeros(frames, np.int32).tofile(path / "segment_idx_0.bin")
    (path / "metadata_0.json").write_text(json.dumps({"shard_num_frames": frames}))
    (path / "metadata.json").write_text(json.dumps({"num_shards": 1, "hz": 30}))
    return states


def _windows(path: Path, states: NDArray[np.float32], latents: int, names: Sequence[str] = EVE_STATES) -> TokenWindows:
    manifest = fit_manifest("1x_eve", "states", names, ["rad"] * len(names), states)
    return TokenWindows(open_tokens(path), manifest, latents=latents)
