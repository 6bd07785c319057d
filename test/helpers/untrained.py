"""Checkpoints in the real format with untrained weights, small enough to be made by each test."""

from pathlib import Path

import numpy as np
import torch

from hwm_core.data.recording.preprocessing import Preprocessing
from hwm_core.data.robot.manifest import fit_manifest
from hwm_core.models.network import WorldModelNetwork
from hwm_core.tokenizers import VideoTokenizer, build_tokenizer
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
    if family == "wan":
        return _untrained_wan(kind, joints, aspect, limit, changes)
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
    return _checkpoint(family, build_model(family, model), build_tokenizer(tokenizer), kind, joints, aspect, limit)


def _untrained_wan(
    kind: str, joints: tuple[str, ...], aspect: float, limit: float, changes: dict[str, object]
) -> Checkpoint:
    """The same frames, with 3 past and 6 future latents of 4 frames; its pretrained files are in a temporary folder."""
    from wan_models import SIZES, saved_pipeline  # the packages of the extra take seconds to import

    from hwm_core.models.wan_base import settings_of
    from hwm_core.world_model.checkpoint import load_tokenizer

    folder = saved_pipeline()
    lengths = {"grid": [2, 2], "num_past_latents": 3, "num_future_latents": 6, "action_dim": len(joints)}
    config = {**SIZES, **settings_of(folder / "transformer"), **lengths, **changes}
    model = build_model("wan", config, folder / "transformer")
    return _checkpoint("wan", model, load_tokenizer(folder / "vae"), kind, joints, aspect, limit)


def _checkpoint(
    family: str,
    model: WorldModelNetwork,
    tokenizer: VideoTokenizer,
    kind: str,
    joints: tuple[str, ...],
    aspect: float,
    limit: float,
) -> Checkpoint:
    values = np.random.default_rng(0).uniform(-1, 1, (20, len(joints)))
    return Checkpoint(
        name="untrained",
        family=family,
        model=model,
        tokenizer=tokenizer,
        manifest=fit_manifest(
            "test_robot", kind, joints, ["rad"] * len(joints), limit * values, [(-limit, limit)] * len(joints)
        ),
        preprocessing=Preprocessing(source_aspect=aspect, height=16, width=16),
    )


def save_untrained(directory: Path, **options) -> Path:
    """Save an untrained checkpoint and return its folder."""
    save_checkpoint(directory, untrained(**options))
    return directory
