"""A checkpoint of two joints with metadata, made in memory with untrained weights."""

import numpy as np
import torch
from untrained import TOKENIZER

from hwm_core.data.recording.preprocessing import Preprocessing
from hwm_core.data.robot.manifest import fit_manifest
from hwm_core.tokenizers import build_tokenizer
from hwm_core.world_model.checkpoint import Checkpoint
from hwm_core.world_model.registry import build_model

JOINTS = ("neck_yaw", "left_elbow")
MODEL = {
    "dim": 16,
    "depth": 1,
    "num_heads": 2,
    "levels": [5, 5],
    "grid": [2, 2],
    "temporal_factor": 8,
    "action_dim": len(JOINTS),
}


def made() -> Checkpoint:
    torch.manual_seed(0)
    values = np.random.default_rng(0).normal(size=(10, len(JOINTS)))
    return Checkpoint(
        name="test",
        family="masked",
        model=build_model("masked", MODEL),
        tokenizer=build_tokenizer(TOKENIZER),
        manifest=fit_manifest("robot", "commands", JOINTS, ("rad", "rad"), values),
        preprocessing=Preprocessing(source_aspect=4 / 3, height=16, width=16),
        metadata={"steps": 3, "validation": {"psnr": 30.5}},
    )
