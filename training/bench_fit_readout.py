"""Fit the probe of the cost `readout`."""

import argparse

from tqdm import tqdm

from hwm_core.errors import BadConfig
from hwm_core.evaluation.readout import fit_readout
from hwm_core.world_model.model import WorldModel

from .devices import own_device

_FEWEST = 2  # episodes: one to train on, one for validation


def fit(options: argparse.Namespace) -> int:
    """Fit, write and print the errors. Raises BadInput for errors of the user."""
    if options.episodes < _FEWEST:
        remedy = "Some hundreds are needed: scenes vary much."
        raise BadConfig("--episodes", expected=f"at least {_FEWEST}", got=options.episodes, remedy=remedy)
    world_model = WorldModel.load(options.checkpoint, device=own_device(options.device))
    with tqdm(total=options.episodes + options.steps) as bar:

        def progress(what: str) -> None:
            bar.set_description_str(what)
            bar.update()

        errors = fit_readout(world_model, options.out, options.episodes, options.steps, options.seed, progress)
    print("Median errors: " + ", ".join(f"{name} {100 * error:.1f} cm" for name, error in errors.items()))
    return 0
