"""Device names of users -> PyTorch devices."""

from typing import Any

import torch

from hwm_core.errors import BadConfig


def read_device(name: str | torch.device, local_rank: int | None = None) -> torch.device:
    """Check that a device exists on this machine.

    Args:
        name: `cpu`, `cuda`, `cuda:1`, or another device that this PyTorch supports.
        local_rank: number of this process on this machine, when every process has its own GPU. `cuda` then resolves to
            that GPU.

    Raises:
        BadConfig: not the name of a device, or a device that this machine does not have.
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
                expected=f"at most {torch.cuda.device_count()}, the number of GPUs of this machine",
                got=f"a process for GPU {local_rank}",
                remedy="Start one process per GPU.",
            )
    if (device.index or 0) >= _count(device.type):
        raise _absent(f"`{name}`")
    return device


def flush_denormals() -> None:
    """Round floats too small for a full mantissa to zero, in this thread and in those that it starts from now on.

    A processor computes with such floats up to a hundred times more slowly, and activations of trained models are full
    of them: `exp` of a large negative number is one. Zero is as good.
    """
    torch.set_flush_denormal(True)


def arithmetic(device: torch.device, dtype: torch.dtype) -> dict[str, str]:
    """Device, precision and PyTorch version, JSON-serialisable. The last digits of a result depend on them.

    Work that was stopped is only resumed with the same values.
    """
    return {"device": device.type, "dtype": str(dtype), "torch": torch.__version__}


def _count(kind: str) -> int:
    """Number of usable devices of a kind on this machine."""
    module: Any = getattr(torch, kind, None)  # torch.cpu, torch.cuda, torch.mps, ...
    return module.device_count() if hasattr(module, "device_count") else 0


def _absent(got: str) -> BadConfig:
    gpus = torch.cuda.device_count()
    present = ", ".join(["cpu", *(f"cuda:{number}" for number in range(gpus))])
    remedy = "Use one of these." if gpus else "Use cpu, or install a PyTorch with CUDA and its driver for a GPU."
    return BadConfig("Device", expected=f"{present} (found by PyTorch)", got=got, remedy=remedy)
