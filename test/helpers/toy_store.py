"""A store of 16 px noise, for tests of commands that train and evaluate."""

from pathlib import Path

import numpy as np
import yaml

from hwm_core.data.episodes.store import manifest_path, write_episode
from hwm_core.data.recording.preprocessing import Preprocessing
from hwm_core.data.robot.manifest import fit_manifest
from hwm_core.types import Episode

ROBOT = "robot"


def episodes() -> list[Episode]:
    """Three episodes with 40 frames of noise."""
    generator = np.random.default_rng(0)
    return [
        Episode(
            name=name,
            frames=generator.integers(0, 256, (40, 16, 16, 3), np.uint8),
            stamps_ns=np.arange(40) * 33_333_333,
            segments=np.zeros(40, np.int32),
            names=("neck_yaw", "left_elbow"),
            states=None,
            commands=generator.normal(size=(40, 2)).astype(np.float32),
        )
        for name in ("one", "two", "three")
    ]


def write_toy_store(folder: Path, held_out: int = 1) -> Path:
    """One training episode, `held_out` validation episodes, and the action manifest."""
    preprocessing = Preprocessing(source_aspect=1.0, height=16, width=16)
    one, *others = episodes()
    write_episode(folder / "training", one, preprocessing)
    for other in others[:held_out]:
        write_episode(folder / "validation", other, preprocessing)
    manifest = fit_manifest(ROBOT, "commands", one.names, ("rad", "rad"), one.commands)
    manifest_path(folder, "commands").write_text(yaml.safe_dump(manifest.plain()))
    return folder
