"""A world whose frames are known from its actions, small episodes, and networks with random weights."""

from types import SimpleNamespace

import numpy as np
import torch
from untrained import untrained

from hwm_core.data.robot.manifest import fit_manifest
from hwm_core.evaluation.config import EvaluationConfig
from hwm_core.evaluation.engine import Evaluation
from hwm_core.evaluation.objects import ObjectTracks
from hwm_core.evaluation.result import EvaluationResult
from hwm_core.types import Episode
from hwm_core.world_model.model import WorldModel

PAST, FUTURE = 9, 24


def evaluate(world, episodes, **options) -> EvaluationResult:
    objects, progress = options.pop("objects", None), options.pop("progress", lambda done, of: None)
    return Evaluation(world, episodes, EvaluationConfig.parse(options), objects=objects).run(progress)


def episode(name: str, values: np.ndarray, names: tuple[str, ...] = ("slide", "neck_yaw"), **fields) -> Episode:
    """The brightness of a frame is the slide's position, 100 grey levels a unit; the neck does not move."""
    count = len(values)
    grey = np.clip(np.rint(100 * values), 0, 255).astype(np.uint8)
    defaults = {
        "frames": np.broadcast_to(grey[:, None, None, None], (count, 16, 16, 3)).copy(),
        "stamps_ns": np.arange(count, dtype=np.int64) * 33_333_333,
        "segments": np.zeros(count, np.int32),
        "states": None,
        "commands": np.stack([values, np.zeros(count)], axis=1).astype(np.float32),
    }
    return Episode(name=name, names=names, **{**defaults, **fields})


def ramp(count: int, start: float = 0.0, slope: float = 0.02) -> np.ndarray:
    return start + slope * np.arange(count)


MANIFEST = fit_manifest(
    "slider", "commands", ("slide", "neck_yaw"), ("m", "rad"), np.eye(2), [(0.0, 2.55), (-1.0, 1.0)]
)


class PerfectWorld:
    """Predicts exactly the frames that the actions imply; without actions, the newest frame."""

    manifest, past_frames, future_frames = MANIFEST, PAST, FUTURE
    tokenizer = SimpleNamespace(temporal_factor=8)

    def __init__(self) -> None:
        self.asked: list[np.ndarray | None] = []

    def observe(self, frames: np.ndarray, actions: np.ndarray) -> np.ndarray:
        assert frames.shape[1] == actions.shape[1] == PAST
        return frames

    def rollout(self, past, actions, *, sampling, seed, num_frames):
        self.asked.append(actions)
        if actions is None:
            return np.repeat(past[:, -1:], num_frames, axis=1)
        grey = np.clip(np.rint(100 * actions[..., 0]), 0, 255).astype(np.uint8)
        return np.broadcast_to(grey[..., None, None, None], (*grey.shape, 16, 16, 3))

    def mean_frames(self, past, actions, samples, *, sampling, seed, num_frames):
        return self.rollout(past, actions, sampling=sampling, seed=seed, num_frames=num_frames)

    def reconstruct(self, frames: np.ndarray) -> np.ndarray:
        return np.minimum(frames, 254) + 1  # one grey level off


EPISODES = [episode("up", ramp(60)), episode("down", ramp(60, start=1.5, slope=-0.02))]


def tracks(moves_at: int) -> ObjectTracks:
    """Object 1 covers the left half and jumps by 3 cm at a frame; object 2 covers a corner and creeps by 1 cm."""
    positions = np.zeros((60, 2, 3), np.float32)
    positions[moves_at:, 0, 0] = 0.03
    positions[:, 1, 0] = np.linspace(0, 0.01, 60)
    labels = np.zeros((60, 16, 16), np.uint8)
    labels[:, :, :8] = 1
    labels[:, 12:, 12:] = 2
    return ObjectTracks(positions, labels)


def noise_episodes(count: int = 2) -> list[Episode]:
    random = np.random.default_rng(0)
    return [
        episode(
            f"e{number}",
            np.zeros(44),
            names=("neck_yaw", "left_elbow", "right_elbow"),
            frames=random.integers(0, 256, (44, 16, 16, 3), dtype=np.uint8),
            commands=random.normal(size=(44, 3)).astype(np.float32),
        )
        for number in range(count)
    ]


def random_world(family: str = "masked") -> WorldModel:
    """A model with random weights that depends on its actions."""
    checkpoint = untrained(family=family)
    for parameter in checkpoint.model.parameters():
        torch.nn.init.normal_(parameter, std=0.3, generator=torch.Generator().manual_seed(len(parameter)))
    return WorldModel(checkpoint, dtype=torch.float32)
