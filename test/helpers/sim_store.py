"""A small store of the simulated humanoid: smooth motions, images of 16 px at 15 Hz."""

from pathlib import Path

import numpy as np
import yaml

from hwm_core.data.episodes.store import manifest_path, write_episode
from hwm_core.data.recording.preprocessing import Preprocessing
from hwm_core.data.robot.manifest import fit_manifest
from hwm_core.sim.description import ROBOT, joints
from hwm_core.types import Episode

PREPROCESSING = Preprocessing(source_aspect=1.0, height=16, width=16, frame_rate_hz=15.0)


def wave(number: int, frames: int = 60) -> Episode:
    """An episode whose joints swing around home and whose images have the colour of their phase; no rendering."""
    table, rng = joints(), np.random.default_rng(number)
    phase = 2 * np.pi * (np.arange(frames) / 30 + rng.uniform())
    swing = 0.1 * np.sin(phase)[:, None] * (table.upper - table.lower)
    commands = np.clip(table.home + swing, table.lower, table.upper).astype(np.float32)
    colours = np.stack([np.sin(phase), np.cos(phase), np.full(frames, rng.uniform(-1, 1))], axis=-1)
    images = np.broadcast_to((127 + 120 * colours).astype(np.uint8)[:, None, None], (frames, 16, 16, 3))
    segments = np.zeros(frames, np.int32)
    segments[frames // 2 :] = 1
    stamps_ns = np.arange(frames) * 66_666_667
    return Episode(f"wave_{number}", images.copy(), stamps_ns, segments, table.names, commands, commands)


def write_sim_store(folder: Path) -> Path:
    """Two training episodes, one validation episode, and the manifest of commands."""
    table, episodes = joints(), [wave(number) for number in range(3)]
    for split, some in (("training", episodes[:2]), ("validation", episodes[2:])):
        for episode in some:
            write_episode(folder / split, episode, PREPROCESSING)
    commands = np.concatenate([episode.commands for episode in episodes[:2]])
    limits = list(zip(table.lower.tolist(), table.upper.tolist(), strict=True))
    manifest = fit_manifest(ROBOT, "commands", table.names, table.units, commands, limits)
    manifest_path(folder, "commands").write_text(yaml.safe_dump(manifest.plain()))
    return folder
