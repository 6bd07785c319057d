"""Where arithmetic runs, as a user names it."""

from typing import Any

import torch

from hwm_core.errors import BadConfig


def read_device(name: str | torch.device, local_rank: int | None = None) -> torch.device:
    """`cpu`, `cuda`, `cuda:1`, or another that this PyTorch was built for.

    Args:
        local_rank: of this process among those of this machine that have a GPU each; `cuda` is then this one's.

    Raises:
        BadConfig: a name that is none, or of what this machine lacks.
    """
    try:
        device = torch.device(name)
    except RuntimeError:
        raise _absent(f"`{name}`") from None
    if str(device) == "cuda" and local_rank is not None:
        device = torch.device("cuda", local_rank)
        if local_rank >= torch.cuda.device_count() > 0:
            raise BadConfig(
                "`torchrun --nproc-per-node`",
                expected=f"{torch.cuda.device_count()} or less, the GPUs of this machine",
                got=f"a process for GPU {local_rank}",
                remedy="Start as many processes as there are GPUs.",
            )
    if (device.index or 0) >= _count(device.type):
        raise _absent(f"`{name}`")
    return device


def arithmetic(device: torch.device, dtype: torch.dtype) -> dict[str, str]:
    """What the last digits of a result depend on beside its inputs, JSON-able: work begun with one goes on with it."""
    return {"device": device.type, "dtype": str(dtype), "torch": torch.__version__}


def _count(kind: str) -> int:
    """Of devices of a kind that can be computed on here."""
    module: Any = getattr(torch, kind, None)  # torch.cpu, torch.cuda, torch.mps, ...
    return module.device_count() if hasattr(module, "device_count") else 0


def _absent(got: str) -> BadConfig:
    gpus = torch.cuda.device_count()
    there = ", ".join(["cpu", *(f"cuda:{number}" for number in range(gpus))])
    remedy = "Name one of these" + ("." if gpus else "; for a GPU, a PyTorch with CUDA and its driver are wanted.")
    return BadConfig("Device", expected=f"{there} (what PyTorch finds here)", got=got, remedy=remedy)
