"""The networks of LPIPS and of Fréchet distances, from the command line: KIND=FILE."""

from functools import partial

import torch

from hwm_core.metrics.extractors import Extractor, load_extractor
from hwm_core.metrics.lpips import Lpips
from hwm_core.metrics.unavailable import Unavailable, or_unavailable


def kind_and_file(text: str) -> tuple[str, str | None]:
    """The parts of KIND=FILE; None where there is no file."""
    kind, _, path = text.partition("=")
    return kind, path or None


def open_lpips(text: str, device: torch.device) -> Lpips | Unavailable:
    """The network, or why it is missing. Raises BadConfig for an unknown kind."""
    return or_unavailable("LPIPS", partial(Lpips, *kind_and_file(text), device))


def open_extractor(text: str, metric: str, device: torch.device) -> Extractor | Unavailable:
    """The network of the distance `metric`, or why it is missing. Raises BadConfig for an unknown kind."""
    return or_unavailable(metric, partial(load_extractor, *kind_and_file(text), device))
