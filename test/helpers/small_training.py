"""A small store, and overrides for trainings that take seconds."""

import os
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import yaml
from command import hwm

from hwm_core.data.episodes.store import manifest_path, write_episode
from hwm_core.data.recording.preprocessing import Preprocessing
from hwm_core.data.robot.manifest import fit_manifest
from hwm_core.types import Episode
from hwm_core.world_model.checkpoint import load_checkpoint, save_checkpoint
from training import train

SMALL = [
    "tokenizer.width=16",
    "tokenizer.encoder_blocks=1",
    "tokenizer.decoder_blocks=1",
    "tokenizer.levels=[5, 5]",
    *(
        f"{run}.{key}"
        for run in ("train_tokenizer", "train", "tune_decoder")
        for key in ("max_minutes=null", "steps=4", "batch_size=2")
    ),
    "model.dim=16",
    "model.depth=1",
    "model.num_heads=2",
    "data.validation_windows=2",
]


SMALL_FLOW = [
    *(o for o in SMALL if not o.startswith(("tokenizer.levels", "model.dim"))),
    "tokenizer.latent_channels=3",
    "model.dim=24",
    "data.actions=states",
]


def episode(name: str, seed: int) -> Episode:
    """40 frames of 16x16 noise whose brightness follows the first joint."""
    generator = np.random.default_rng(seed)
    states = np.cumsum(generator.normal(size=(40, 2)), axis=0).astype(np.float32)
    pixels = 128 + 20 * states[:, :1, None, None] + generator.normal(scale=10, size=(40, 16, 16, 3))
    return Episode(
        name=name,
        frames=pixels.clip(0, 255).astype(np.uint8),
        stamps_ns=np.arange(40) * 33_333_333,
        segments=np.zeros(40, dtype=np.int32),
        names=("neck_yaw", "left_elbow"),
        states=states,
        commands=None,
    )


def write_store(path: Path, seed: int = 0) -> Path:
    """One training episode, one validation episode, and the manifest of the states."""
    preprocessing = Preprocessing(source_aspect=1.0, height=16, width=16)
    one = episode("one", seed)
    write_episode(path / "training", one, preprocessing)
    write_episode(path / "validation", episode("two", seed + 1), preprocessing)
    manifest = fit_manifest("robot", "states", one.names, ("rad", "rad"), one.states)
    manifest_path(path, "states").write_text(yaml.safe_dump(manifest.plain()))
    return path


def train_model(store, tokenizer, out, *more: str) -> int:
    return hwm(
        "train",
        "--data",
        str(store),
        "--tokenizer",
        str(tokenizer),
        "--out",
        str(out),
        "data.actions=states",
        *SMALL,
        *more,
    )


def train_and_note(arguments: list[str], notes: Path) -> None:
    """Train, and append each saved step to the file `notes`.

    The process that runs this function imports it by name, so it cannot be in a test file.
    """
    torch.set_num_threads(1)
    save_checkpoint = train.save_checkpoint

    def save_and_note(directory, checkpoint):
        save_checkpoint(directory, checkpoint)
        with notes.open("a") as file:
            file.write(f"{checkpoint.metadata['steps']}\n")

    train.save_checkpoint = save_and_note
    sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: SIM115
    sys.exit(hwm("train", *arguments))


def other_joints(checkpoint: Path, out: Path) -> Path:
    """A copy of a checkpoint of `write_store`, as if its second joint were another."""
    one = load_checkpoint(checkpoint)
    manifest = one.manifest.model_copy(update={"names": ("neck_yaw", "right_elbow")})
    save_checkpoint(out, replace(one, manifest=manifest))
    return out
