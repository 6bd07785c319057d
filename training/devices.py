"""Which device a command computes on."""

import os

import torch

from hwm_core.device import read_device


def own_device(name: str) -> torch.device:
    """The device of that name, of this process: `cuda` is its own GPU where torchrun started several.

    Raises BadConfig for what is no device, or none of this machine.
    """
    local = os.environ.get("LOCAL_RANK")
    return read_device(name, None if local is None else int(local))
