"""Raw shards and untrained world models for tests of the sampling track."""

from pathlib import Path

import torch
from onex_sets import raw_v2
from untrained import untrained

from hwm_core.data.tokens.onex_joints import EVE_STATES
from hwm_core.sampling.config import Sampling
from hwm_core.world_model.model import WorldModel

RANDOM = Sampling(temperature=1.0, soft=False)  # sampled futures differ
SMALL = {"side": 32, "ensemble": (1, 3), "blur": 1.0, "sampling": RANDOM.plain()}


def eve_model(
    family: str = "masked", hz: float = 30.0, kind: str = "states", dtype: torch.dtype = torch.float32, **config
) -> WorldModel:
    """An untrained model of 16 px with 9 past and 24 future frames."""
    made = untrained(kind, EVE_STATES, family=family, **config)
    preprocessing = made.preprocessing.model_copy(update={"frame_rate_hz": hz})
    return WorldModel(type(made)(**{**vars(made), "preprocessing": preprocessing}), dtype=dtype)


def two_takes(folder: Path) -> Path:
    """A raw set of two takes of 80 frames each. Frame t is grey with level t, and its states are t."""
    return raw_v2(folder / "set", frames=160, cut=80, step=1)
