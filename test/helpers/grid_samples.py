"""Small models of tokens and samples for tests of the compression track."""

import numpy as np
import torch

from hwm_core.challenge.grid_samples import GridSample
from hwm_core.data.recording.preprocessing import Preprocessing
from hwm_core.data.robot.manifest import fit_manifest
from hwm_core.data.tokens.onex_joints import EVE_STATES
from hwm_core.world_model.checkpoint import Checkpoint
from hwm_core.world_model.registry import build_model

_SMALL = {"dim": 16, "depth": 1, "num_heads": 2, "vocabulary": "factorised", "init": "fan_in"}
V2 = {
    "levels": [8, 8, 8, 5, 5, 5],
    "grid": [32, 32],
    "temporal_factor": 8,
    "num_past_latents": 3,
    "num_future_latents": 3,
}
V1 = {"levels": [512, 512], "grid": [16, 16], "temporal_factor": 1, "num_past_latents": 3, "num_future_latents": 1}
TOY = {**V2, "levels": [5, 4], "grid": [2, 2]}  # 20 codes, so that all of them can be ranked


def token_checkpoint(names=EVE_STATES, hz: float = 30.0, family: str = "masked", **config) -> Checkpoint:
    """An untrained model of tokens without a tokenizer."""
    torch.manual_seed(0)
    values = np.random.default_rng(0).normal(size=(20, len(names)))
    model = build_model(family, {**_SMALL, "action_dim": len(names), **config})
    # Freshly initialised gates are zero and would hide the actions.
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return Checkpoint(
        name="small",
        family=family,
        model=model.eval(),
        tokenizer=None,
        manifest=fit_manifest("1x_eve", "states", names, ["rad"] * len(names), values),
        preprocessing=Preprocessing(source_aspect=1.0, height=256, width=256, frame_rate_hz=hz),
        sha256="0" * 64,
    )


def random_sample(checkpoint: Checkpoint, number: int = 0, seed: int = 0) -> GridSample:
    """A sample of random codes below 20; two consecutive numbers share a take."""
    rng, config = np.random.default_rng([seed, number]), checkpoint.model.config
    codes = rng.integers(20, size=(6, *config.grid))
    actions = rng.normal(size=(41, checkpoint.manifest.dim)).astype(np.float32)
    return GridSample(number, number // 2, codes[:3], actions, codes[3:])
