"""Checkpoints in the real format with untrained weights, small enough to be made by each test."""

from pathlib import Path

import numpy as np
import torch

from hwm_core.data.recording.preprocessing import Preprocessing
from hwm_core.data.robot.manifest import fit_manifest
from hwm_core.tokenizers import build_tokenizer
from hwm_core.world_model.checkpoint import Checkpoint, save_checkpoint
from hwm_core.world_model.registry import build_model

JOINTS = ("neck_yaw", "left_elbow", "right_elbow")

TOKENIZER = {
    "kind": "causal",
    "spatial_factor": 8,
    "levels": [5, 5],
    "width": 16,
    "encoder_blocks": 1,
    "decoder_blocks": 1,
}


CONTINUOUS = {
    "kind": "continuous",
    "spatial_factor": 8,
    "latent_channels": 3,
    "width": 16,
    "encoder_blocks": 1,
    "decoder_blocks": 1,
}
FAMILIES = {
    "masked": ({"dim": 16, "levels": [5, 5]}, TOKENIZER),
    "flow": ({"dim": 24, "latent_channels": 3, "patch": 1}, CONTINUOUS),
    "st_transformer": ({"dim": 16, "levels": [5, 5]}, TOKENIZER),
}


def untrained(
    kind: str = "commands",
    joints: tuple[str, ...] = JOINTS,
    aspect: float = 1.0,
    limit: float = 1.0,
    family: str = "masked",
    **changes: object,
) -> Checkpoint:
    """A checkpoint with 2 past and 3 future latents, a 16 px camera at 30 Hz, and joint limits +-`limit`.

    `changes` override keys of the model configuration.
    """
    torch.manual_seed(0)
    of_family, tokenizer = FAMILIES[family]
    model = {
        "depth": 1,
        "num_heads": 2,
        "grid": [2, 2],
        "num_past_latents": 2,
        "num_future_latents": 3,
        "action_dim": len(joints),
        **of_family,
        **changes,
    }
    values = np.random.default_rng(0).uniform(-1, 1, (20, len(joints)))
    return Checkpoint(
        name="untrained",
        family=family,
        model=build_model(family, model),
        tokenizer=build_tokenizer(tokenizer),
        manifest=fit_manifest(
            "test_robot", kind, joints, ["rad"] * len(joints), limit * values, [(-limit, limit)] * len(joints)
        ),
        preprocessing=Preprocessing(source_aspect=aspect, height=16, width=16),
    )


def save_untrained(directory: Path, **options) -> Path:
    """Save an untrained checkpoint and return its folder."""
    save_checkpoint(directory, untrained(**options))
    return directory
