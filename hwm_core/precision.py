"""Names of precisions -> the type that a device computes in, as autocast does."""

from contextlib import AbstractContextManager
from typing import Any

import torch

from hwm_core.precision_name import Precision


def read_precision(name: Precision, device: torch.device) -> torch.dtype:
    """The type of a precision on a device.

    bfloat16 halves the time on a device with instructions for it, and takes seven times as long as float32 on a
    processor without them (measured: AVX2 alone, convolutions and matrices of the shipped models).
    """
    if name == "auto":
        return torch.bfloat16 if multiplies_bfloat16(device) else torch.float32
    return getattr(torch, name)


def precision_name(dtype: torch.dtype) -> str:
    """The name of a type, such as bfloat16."""
    return str(dtype).removeprefix("torch.")


def multiplies_bfloat16(device: torch.device) -> bool:
    """Whether the device has instructions for products of bfloat16 matrices; False where it is not known."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type == "cpu":
        return _processor_multiplies_bfloat16()
    return False


def autocast(device: torch.device, dtype: torch.dtype) -> AbstractContextManager[Any]:
    """The context of arithmetic in a type; float32 leaves everything as it is."""
    return torch.autocast(device.type, dtype, enabled=dtype is not torch.float32)


def _processor_multiplies_bfloat16() -> bool:
    if not hasattr(torch.cpu, "get_capabilities"):  # an older PyTorch; also true for AVX-512 that emulates them
        return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    found = torch.cpu.get_capabilities()
    return any(found.get(name, False) for name in ("avx512_bf16", "amx_bf16", "bf16", "sve_bf16"))
