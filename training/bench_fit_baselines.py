"""Train the baselines of the closed loop on a store."""

import argparse

from tqdm import tqdm

from hwm_core.data.episodes.store import open_store
from hwm_core.evaluation.closed_loop.baselines.fit import fit_baselines


def fit(options: argparse.Namespace) -> int:
    """Train and print the losses. Raises BadInput for errors of the user."""
    store = open_store(options.data)
    with tqdm(total=100.0, bar_format="{percentage:5.1f}% |{bar:20}| {elapsed} {desc}") as bar:

        def report(name: str, step: int, used: float) -> None:
            bar.n = 100 * min(1.0, used)
            bar.set_description_str(f"{name}, step {step}")

        training = fit_baselines(store, options.data, options.out, options.minutes, options.seed, report)
    for name, numbers in training.items():
        print(f"{name}: " + ", ".join(f"{key} {value:.4g}" for key, value in numbers.items() if value is not None))
    return 0
