"""The device of a command."""

import os

import torch

from hwm_core.device import flush_denormals, read_device


def own_device(name: str) -> torch.device:
    """The named device for this process, ready for work; under torchrun `cuda` is the GPU of the local rank.

    Raises BadConfig where the name is not a device of this machine.
    """
    flush_denormals()
    local = os.environ.get("LOCAL_RANK")
    return read_device(name, None if local is None else int(local))
