"""Measure how many windows per second each reader delivers, and how many a training step consumes.

    python -m benchmarks.readers.measure
    python -m benchmarks.readers.measure --paper-step masked=1.2x16      a step of that model took 1.2 s for 16 windows

A window is a window of the preset `tiny`: 33 frames at 64 px. The command first writes synthetic recordings of 640x480.
Bags, LeRobot sets and videos are read once from start to end and preprocessed; every 33 frames count as one window. The
episode store, token sets and caches are read in the random order of training, through its data loader. Times are
processor seconds over all threads, so that other load on the machine does not count. The result is
benchmarks/results/readers.json.
"""

import argparse
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset

from benchmarks.readers.synthetic import JOINTS, onex_v1_tokens, onex_v2_tokens, recordings
from benchmarks.record import RESULTS, command_line, write_result
from benchmarks.tables import table
from hwm_core.data.batches import stack
from hwm_core.data.discover import find_recordings
from hwm_core.data.episodes.augment import Augmentation
from hwm_core.data.episodes.store import open_store, write_episode
from hwm_core.data.episodes.windows import Windows
from hwm_core.data.recording.preprocessing import Preprocessing
from hwm_core.data.recording.recording import first_aspect
from hwm_core.data.robot.manifest import ActionManifest, fit_manifest
from hwm_core.data.rosbag2.topics import Topics
from hwm_core.data.tokens.onex import open_tokens
from hwm_core.data.tokens.tokenise import TokeniseOptions, tokenise
from hwm_core.data.tokens.tokenizer_spec import spec_of
from hwm_core.data.tokens.windows import TokenWindows
from hwm_core.tokenizers import VideoTokenizer, build_tokenizer
from hwm_core.train.order import BatchOrder
from hwm_core.train.recipe import Recipe, read_recipe
from hwm_core.train.tasks import WorldModelTask
from hwm_core.train.trainer import Trainer
from hwm_core.types import Episode
from hwm_core.world_model.registry import build_model

FRAMES, PAST, BATCH = 33, 9, 16
PREPROCESSING = Preprocessing(source_aspect=4 / 3, height=64, width=64)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line. Exit status 0: done; 2: bad input."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=300, help="frames of each recording (%(default)s)")
    parser.add_argument("--seconds", type=float, default=2.0, help="minimum time of each measurement (%(default)s)")
    parser.add_argument("--steps", type=int, default=3, help="timed training steps, after one warm-up (%(default)s)")
    parser.add_argument(
        "--paper-step",
        nargs="*",
        type=_paper_step,
        default=[],
        metavar="NAME=SECONDSxWINDOWS",
        help="duration of a training step at the paper's scale, measured elsewhere",
    )
    parser.add_argument("--out", type=Path, default=RESULTS / "readers.json", help="result file (%(default)s)")
    words = sys.argv[1:] if arguments is None else list(arguments)
    options = parser.parse_args(words)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        readers, training = measure(
            Path(folder), options.frames, options.seconds, options.steps, dict(options.paper_step)
        )
    write_result(
        options.out,
        command=command_line("benchmarks.readers.measure", words),
        n={"frames_per_recording": options.frames, "training_steps": options.steps},
        numbers={
            "window": {"frames": FRAMES, "pixels": 64},
            "windows_per_s": {name: round(rate, 1) for name, rate in readers.items()},
            "training_windows_per_s": training,
        },
    )
    rates = {**readers, **{f"training step: {name}": rate for name, rate in training.items()}}
    cells = [(name, rate if isinstance(rate, str) else f"{rate:,.1f}") for name, rate in rates.items()]
    print(table(["reader", "windows per second"], cells))
    return 0


def measure(
    folder: Path, frames: int, seconds: float, steps: int, paper_rates: Mapping[str, float]
) -> tuple[dict[str, float], dict[str, Any]]:
    """Windows per second of each reader, and of training.

    Args:
        folder: an empty folder for the synthetic sets.
        frames: frames of each recording.
        seconds: minimum time of each measurement.
        steps: timed training steps.
        paper_rates: windows per second of training at the paper's scale, by model family.
    """
    source, paths = recordings(folder, frames)
    rates = {name: frames / FRAMES * _calls_per_second(partial(_read, path), seconds) for name, path in paths.items()}
    episode, _ = source.read(PREPROCESSING)
    assert episode.states is not None
    manifest = fit_manifest("robot", "states", episode.names, ["rad"] * len(JOINTS), episode.states)
    recipe = read_recipe("tiny", ["data.actions=states"])
    torch.manual_seed(0)
    tokenizer = build_tokenizer(recipe.trained_tokenizer).eval()
    datasets = _datasets(folder, episode, manifest, tokenizer, frames)
    for name, windows in datasets.items():
        rates[name] = BATCH * _calls_per_second(_batches(windows).__next__, seconds)
    cache = datasets["token cache (5 latents of 16x16)"]
    tiny = _training_rate(recipe, tokenizer, cache, manifest, steps)
    training: dict[str, Any] = {"tiny, from the token cache": round(tiny, 1)}
    for family in ("masked", "flow"):
        rate = paper_rates.get(family)
        training[f"{family}, paper scale"] = "not measured" if rate is None else round(rate, 2)
    return rates, training


def _datasets(
    folder: Path, episode: Episode, manifest: ActionManifest, tokenizer: VideoTokenizer, frames: int
) -> dict[str, Dataset]:
    """The data sets that training reads in random order."""
    for split in ("training", "validation"):
        write_episode(folder / "store" / split, episode, PREPROCESSING)
    continuous = build_tokenizer(read_recipe("flow_tiny", ["data.actions=states"]).trained_tokenizer).eval()
    whole_windows = TokeniseOptions(latents=5, stride=1)
    sets = {
        "cache": (tokenizer, whole_windows),
        "latents": (continuous, whole_windows),
        "1X": (tokenizer, TokeniseOptions(latents=3)),
    }
    for name, (encoder, how) in sets.items():
        list(tokenise([episode], PREPROCESSING, encoder, folder / name, spec=spec_of(encoder), options=how))
    return {
        "episode store": Windows(open_store(folder / "store").training, manifest, PAST, FRAMES - PAST),
        "1X tokens (hwm, 3 latents of 16x16)": TokenWindows(open_tokens(folder / "1X"), manifest, latents=3),
        "1X tokens (v2.0, 3 latents of 32x32)": onex_v2_tokens(folder / "v2.0", frames),
        "1X tokens (v1.1, 16 frames of 16x16)": onex_v1_tokens(folder / "v1.1", frames),
        "token cache (5 latents of 16x16)": TokenWindows(open_tokens(folder / "cache"), manifest, latents=5),
        "latent cache (5 latents of 16x16)": TokenWindows(open_tokens(folder / "latents"), manifest, latents=5),
    }


def _paper_step(text: str) -> tuple[str, float]:
    """The family and the windows per second of `NAME=SECONDSxWINDOWS`."""
    found = re.fullmatch(r"(masked|flow)=(\d+(?:\.\d+)?)x(\d+)", text)
    if found is None or not float(found[2]):
        raise argparse.ArgumentTypeError(f"expected masked=1.2x16 or flow=1.2x16 (16 windows in 1.2 s), got {text}")
    return found[1], int(found[3]) / float(found[2])


def _read(path: Path) -> None:
    for recording in find_recordings(path, Topics()):
        recording.read(PREPROCESSING.model_copy(update={"source_aspect": first_aspect([recording])}))


def _batches(windows: Dataset) -> Iterator[Any]:
    """Endless batches in random order, as training loads them."""
    order = BatchOrder(len(windows), BATCH, seed=0)  # type: ignore[arg-type]
    return iter(DataLoader(windows, batch_sampler=order, collate_fn=stack))


def _calls_per_second(work: Callable[[], Any], seconds: float) -> float:
    """Calls per second of processor time, measured over at least `seconds` after one warm-up call."""
    work()
    done, start = 0, time.process_time()
    while (passed := time.process_time() - start) < seconds or not done:
        work()
        done += 1
    return done / passed


def _training_rate(
    recipe: Recipe, tokenizer: VideoTokenizer, windows: Dataset, manifest: ActionManifest, steps: int
) -> float:
    """Windows per second of the preset's training steps on tokens, without the time to load them."""
    config = recipe.model_config_for(tokenizer, (64, 64), manifest.dim)
    task = WorldModelTask(build_model("masked", config.plain()), tokenizer, Augmentation(shift=0, colour=0))
    trainer = Trainer(task, recipe.train)
    batch = next(_batches(windows))
    trainer.train_step(batch)
    start = time.process_time()
    for _ in range(steps):
        trainer.train_step(batch)
    return BATCH * steps / (time.process_time() - start)


if __name__ == "__main__":
    sys.exit(main())
