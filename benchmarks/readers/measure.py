"""Windows a second that every reader gives, beside what training takes.

    python -m benchmarks.readers.measure
    python -m benchmarks.readers.measure --paper-step masked=1.2x16      a step of that model took 1.2 s for 16 windows

A window is that of `tiny`, 33 frames at 64 px. Recordings of 640x480 are made first, of a moving pattern with noise.
What is decoded in sequence (bags, LeRobot, videos) is read once from end to end, preprocessed, and gives a window for
every 33 frames; the store, tokens and the cache are read in training's random order, through its loader. A second is
one of processor time, all threads together: what else the machine does is not counted. Writes
benchmarks/results/readers.json.
"""

import argparse
import json
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import av
import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset

from benchmarks.readers.sqlite_bag import as_sqlite3
from benchmarks.record import RESULTS, command_line, write_result
from benchmarks.tables import table
from hwm_core.data.discover import find_recordings
from hwm_core.data.episodes.augment import Augmentation
from hwm_core.data.episodes.store import open_store, write_episode
from hwm_core.data.episodes.windows import Windows
from hwm_core.data.lerobot.export import LeRobotOptions, write_lerobot
from hwm_core.data.recording.preprocessing import Preprocessing
from hwm_core.data.recording.recording import first_aspect
from hwm_core.data.robot.manifest import ActionManifest, fit_manifest
from hwm_core.data.rosbag2.export import write_rosbag2
from hwm_core.data.rosbag2.topics import Topics
from hwm_core.data.tokens.episodes import TokenWindows
from hwm_core.data.tokens.onex import EVE_STATES, open_tokens
from hwm_core.data.tokens.tokenise import TokeniseOptions, tokenise
from hwm_core.data.tokens.tokenizer_spec import spec_of
from hwm_core.tokenizers import build_tokenizer
from hwm_core.train.order import BatchOrder
from hwm_core.train.recipe import read_recipe
from hwm_core.train.tasks import WorldModelTask
from hwm_core.train.trainer import Trainer
from hwm_core.world_model.registry import build_model

FRAMES, PAST, BATCH = 33, 9, 16
PREPROCESSING = Preprocessing(source_aspect=4 / 3, height=64, width=64)
JOINTS = tuple(f"joint_{number}" for number in range(16))


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=300, help="of each recording (%(default)s)")
    parser.add_argument("--seconds", type=float, default=2.0, help="that each measurement takes at least (%(default)s)")
    parser.add_argument("--steps", type=int, default=3, help="training steps timed, after one (%(default)s)")
    parser.add_argument(
        "--paper-step",
        nargs="*",
        type=_paper_step,
        default=[],
        metavar="NAME=SECONDSxWINDOWS",
        help="measured elsewhere",
    )
    parser.add_argument("--out", type=Path, default=RESULTS / "readers.json", help="(%(default)s)")
    words = sys.argv[1:] if arguments is None else list(arguments)
    options = parser.parse_args(words)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        readers, takes = measure(Path(folder), options)
    write_result(
        options.out,
        command=command_line("benchmarks.readers.measure", words),
        n={"frames_of_a_recording": options.frames, "training_steps": options.steps},
        figures={
            "window": {"frames": FRAMES, "pixels": 64},
            "windows_per_s": {name: round(rate, 1) for name, rate in readers.items()},
            "taken_by_training_windows_per_s": takes,
        },
    )
    rates = {**readers, **{f"*taken by:* {name}": rate for name, rate in takes.items()}}
    shown = ((name, rate if isinstance(rate, str) else f"{rate:,.1f}") for name, rate in rates.items())
    print(table(["reader", "windows a second"], list(shown)))
    return 0


def measure(folder: Path, options: argparse.Namespace) -> tuple[dict[str, float], dict[str, Any]]:
    """Windows a second of the readers, and those that training takes."""
    film(folder / "video" / "run.mp4", options.frames)
    (source,) = find_recordings(folder / "video", Topics())
    paths = {"video and table (mpeg4)": folder / "video"}
    for form in ("jpeg", "raw"):
        paths[f"rosbag2, mcap ({form})"] = folder / form
        write_rosbag2(source.events(), folder / form, Topics(), form)
    paths["rosbag2, sqlite3 (jpeg)"] = as_sqlite3(folder / "jpeg", folder / "sqlite3")
    for version, codec in (("v2.1", "h264"), ("v2.1", "av1"), ("v3.0", "h264"), ("v3.0", "av1")):
        path = paths[f"LeRobot {version} ({codec})"] = folder / f"{version}_{codec}"
        write_lerobot([source], path, LeRobotOptions(version=version, codec=codec))  # type: ignore[arg-type]
    paths["1X v2.0 raw (mpeg4)"] = onex_raw(folder / "raw_v2.0", options.frames)
    rates = {}
    for name, path in paths.items():
        rates[name] = options.frames / FRAMES * repeated(partial(read, path), options.seconds)

    episode, _ = source.read(PREPROCESSING)
    for split in ("training", "validation"):
        write_episode(folder / "store" / split, episode, PREPROCESSING)
    assert episode.states is not None
    manifest = fit_manifest("robot", "states", episode.names, ["rad"] * len(JOINTS), episode.states)
    recipe = read_recipe("tiny", ["data.actions=states"])
    torch.manual_seed(0)
    tokenizer = build_tokenizer(recipe.tokenizer).eval()
    latents = build_tokenizer(read_recipe("flow_tiny", ["data.actions=states"]).tokenizer).eval()
    whole = TokeniseOptions(latents=5, stride=1)
    sets = {"cache": (tokenizer, whole), "latents": (latents, whole), "1X": (tokenizer, TokeniseOptions(latents=3))}
    for name, (made_by, how) in sets.items():
        list(tokenise([episode], PREPROCESSING, made_by, folder / name, spec=spec_of(made_by), options=how))
    cache = TokenWindows(open_tokens(folder / "cache"), manifest, latents=5)
    datasets: dict[str, Dataset] = {
        "store": Windows(open_store(folder / "store").training, manifest, PAST, FRAMES - PAST),
        "1X tokens (ours, 3 latents of 16x16)": TokenWindows(open_tokens(folder / "1X"), manifest, latents=3),
        "1X tokens (v2.0, 3 latents of 32x32)": onex(folder / "v2.0", options.frames),
        "1X tokens (v1.1, 16 frames of 16x16)": onex_v1(folder / "v1.1", options.frames),
        "token cache (5 latents of 16x16)": cache,
        "latent cache (5 latents of 16x16)": TokenWindows(open_tokens(folder / "latents"), manifest, latents=5),
    }
    for name, windows in datasets.items():
        rates[name] = BATCH * repeated(batches(windows).__next__, options.seconds)
    takes: dict[str, Any] = {"tiny, from the cache": round(tiny_rate(recipe, tokenizer, cache, manifest, options), 1)}
    given = dict(options.paper_step)
    for name in ("masked", "flow"):
        takes[f"{name}, paper scale"] = round(given[name], 2) if name in given else "not measured"
    return rates, takes


def _paper_step(text: str) -> tuple[str, float]:
    """Windows a second of `NAME=SECONDSxWINDOWS`."""
    found = re.fullmatch(r"(masked|flow)=(\d+(?:\.\d+)?)x(\d+)", text)
    if found is None or not float(found[2]):
        raise argparse.ArgumentTypeError(f"expected masked=1.2x16 or flow=1.2x16 (16 windows in 1.2 s), got {text}")
    return found[1], int(found[3]) / float(found[2])


def film(path: Path, frames: int, size: tuple[int, int] = (640, 480)) -> None:
    """A moving pattern with noise, of width and height `size`, and joints that move with it."""
    draw, (width, height) = np.random.default_rng(0), size
    y, x = np.mgrid[0:height, 0:width]
    path.parent.mkdir(parents=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=Fraction(30))
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for t in range(frames):
            waves = [127 + 100 * np.sin((x * (1 + c) + 2 * y + 9 * t) / 60) for c in range(3)]
            picture = np.stack(waves, axis=-1) + draw.normal(scale=4, size=(height, width, 3))
            shown = av.VideoFrame.from_ndarray(picture.clip(0, 255).astype(np.uint8), format="rgb24")
            container.mux(stream.encode(shown))
        container.mux(stream.encode())
    values = np.cumsum(draw.normal(scale=0.02, size=(frames, len(JOINTS))), axis=0)
    rows = [",".join(f"state.{name}" for name in JOINTS), *(",".join(f"{v:.5f}" for v in row) for row in values)]
    path.with_suffix(".csv").write_text("\n".join(rows) + "\n")


def read(path: Path) -> None:
    for recording in find_recordings(path, Topics()):
        recording.read(PREPROCESSING.model_copy(update={"source_aspect": first_aspect([recording])}))


def onex(path: Path, frames: int) -> TokenWindows:
    """A shard of 1X's v2.0 of random codes."""
    draw, clips = np.random.default_rng(0), frames // 17
    path.mkdir()
    draw.integers(0, 64000, (clips, 3, 32, 32), dtype=np.int32).tofile(path / "video_0.bin")
    return onex_windows(path, onex_shard(path, clips * 17), latents=3)


def onex_raw(path: Path, frames: int) -> Path:
    """A shard of 1X's v2.0 raw."""
    film(path / "video_0.mp4", frames, (512, 512))
    onex_shard(path, frames)
    return path


def onex_shard(path: Path, frames: int) -> NDArray[np.float32]:
    """What a shard of v2.0 has beside its video; the states [F, 25]."""
    states = np.random.default_rng(1).normal(size=(frames, len(EVE_STATES))).astype(np.float32)
    states.tofile(path / "states_0.bin")
    np.zeros(frames, np.int32).tofile(path / "segment_idx_0.bin")
    (path / "metadata_0.json").write_text(json.dumps({"shard_num_frames": frames}))
    (path / "metadata.json").write_text(json.dumps({"num_shards": 1, "hz": 30}))
    return states


def onex_v1(path: Path, frames: int) -> TokenWindows:
    """A set of 1X's v1.1 of random codes."""
    draw = np.random.default_rng(0)
    (path / "actions").mkdir(parents=True)
    draw.integers(0, 2**18, (frames, 16, 16), dtype=np.uint32).tofile(path / "video.bin")
    np.zeros(frames, np.int32).tofile(path / "segment_ids.bin")
    widths = {"joint_pos": 21, "driving_command": 2, "neck_desired": 1, "l_hand_closure": 1, "r_hand_closure": 1}
    for name, width in widths.items():
        draw.normal(size=(frames, width)).astype(np.float32).tofile(path / "actions" / f"{name}.bin")
    said = {"num_images": frames, "s": 16, "vocab_size": 2**18, "hz": 30, "token_dtype": "uint32"}
    (path / "metadata.json").write_text(json.dumps(said))
    (episode,) = open_tokens(path)
    assert episode.states is not None
    return onex_windows(path, episode.states, latents=16, names=episode.names)


def onex_windows(
    path: Path, states: NDArray[np.float32], latents: int, names: Sequence[str] = EVE_STATES
) -> TokenWindows:
    manifest = fit_manifest("1x_eve", "states", names, ["rad"] * len(names), states)
    return TokenWindows(open_tokens(path), manifest, latents=latents)


def batches(windows: Dataset) -> Iterator[Any]:
    """As training loads them: in random order, without end."""
    order = BatchOrder(len(windows), BATCH, seed=0)  # type: ignore[arg-type]
    return iter(DataLoader(windows, batch_sampler=order))


def repeated(work: Callable[[], Any], seconds: float) -> float:
    """Times a second that `work` is done, over at least so many seconds, after one that is not counted."""
    work()
    done, began = 0, time.process_time()
    while (passed := time.process_time() - began) < seconds or not done:
        work()
        done += 1
    return done / passed


def tiny_rate(
    recipe: Any, tokenizer: Any, windows: Dataset, manifest: ActionManifest, options: argparse.Namespace
) -> float:
    """Windows a second of the preset's training step over codes, without waiting for them."""
    config = recipe.model_config_for(tokenizer, (64, 64), manifest.dim)
    task = WorldModelTask(build_model("masked", config.plain()), tokenizer, Augmentation(shift=0, colour=0))
    trainer = Trainer(task, recipe.train)
    batch = next(batches(windows))
    trainer.train_step(batch)
    began = time.process_time()
    for _ in range(options.steps):
        trainer.train_step(batch)
    return BATCH * options.steps / (time.process_time() - began)


if __name__ == "__main__":
    sys.exit(main())
