"""Measure how far a checkpoint's predictions are off on validation data, for the node's topic ~/surprise."""

import argparse

from hwm_core.data.episodes.store import open_store, require_preprocessing
from hwm_core.live.model import LiveConfig, LiveModel
from hwm_core.live.surprise_file import measure_surprise, write_surprise
from hwm_core.planning.costs.objective import Objective
from hwm_core.world_model.checkpoint_files import checkpoint_folder
from hwm_core.world_model.model import WorldModel

from .devices import own_device


def measure(options: argparse.Namespace) -> int:
    """Measure, write and print. Raises BadInput for errors of the user."""
    folder = checkpoint_folder(options.checkpoint)
    world_model = WorldModel.load(folder, device=own_device(options.device), dtype=options.dtype)
    store = open_store(options.store)
    require_preprocessing(store, world_model.preprocessing, options.store)
    live = LiveModel(world_model, LiveConfig(), Objective())
    measured = measure_surprise(live, store.validation, options.windows)
    path = write_surprise(folder, measured)
    print(f"error {measured.error:.4f} (median), {measured.p95:.4f} (95th percentile) of {measured.windows} latents")
    print(f"A useful surprise.threshold is above {measured.p95 / measured.error:.1f}. Written to {path}")
    return 0
