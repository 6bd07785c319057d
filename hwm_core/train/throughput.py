"""The throughput of a run: windows and tokens per second, and model FLOPs utilisation (MFU)."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry, sdpa_flop

from hwm_core.train.ranks import Ranks

# Dense bfloat16 with float32 accumulation, from the data sheets; the first key that the device's name contains.
PEAK_TFLOPS = {
    "B200": 2250.0,
    "H200": 989.0,
    "H100 PCIe": 756.0,
    "H100": 989.0,
    "A100": 312.0,
    "L40S": 362.0,
    "L40": 181.0,
    "RTX 4090": 165.2,
    "RTX A6000": 154.8,
}
# torch's table lacks the CPU's attention kernel.
COSTS = {**flop_registry, torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: sdpa_flop}


class Throughput:
    """Windows and tokens per second since the last report; with a known peak also the MFU."""

    def __init__(self, ranks: Ranks, peak_tflops: float | None, dtype: torch.dtype) -> None:
        self._ranks = ranks
        self._peak_tflops = peak_tflops or (known_peak_tflops(ranks.device) if dtype is torch.bfloat16 else None)
        self._flops_per_window: float | None = None
        self._windows, self._tokens, self._seconds = 0, 0, 0.0

    @contextmanager
    def count_flops(self, windows: int) -> Iterator[None]:
        """The context of the loss of some windows: counts its operations, once in a run, if the peak is known."""
        if self._peak_tflops is None or self._flops_per_window is not None:
            yield
            return
        with TrainingFlops() as flops, torch.compiler.set_stance("force_eager"):
            yield
        self._flops_per_window = flops.total / windows

    def add(self, windows: int, tokens: int, seconds: float) -> None:
        """Add a step: the windows of all ranks, and the tokens of this rank."""
        self._windows += windows
        self._tokens += tokens * self._ranks.size
        self._seconds += seconds

    def metrics(self) -> dict[str, float]:
        """Of all ranks together since the last call; MFU if the peak is known, peak memory on GPUs."""
        rate = self._windows / self._seconds
        metrics = {"windows_per_s": rate, "tokens_per_s": self._tokens / self._seconds}
        if self._peak_tflops is not None and self._flops_per_window is not None:
            metrics["mfu"] = rate * self._flops_per_window / (self._ranks.size * 1e12 * self._peak_tflops)
        if self._ranks.device.type == "cuda":
            metrics["peak_memory_gb"] = torch.cuda.max_memory_allocated(self._ranks.device) / 1e9
        self._windows, self._tokens, self._seconds = 0, 0, 0.0
        return metrics


class TrainingFlops(TorchDispatchMode):
    """Counts the floating-point operations of training on the computation inside the context, as `total`.

    Only the forward pass is counted, with torch's table of the costs of products, convolutions and attention. With
    gradients it counts three times, because a backward pass costs twice its forward pass. Recomputed blocks do not
    count as work of the model.
    """

    def __init__(self) -> None:
        super().__init__()
        self.total = 0.0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        out = func(*args, **(kwargs or {}))
        if formula := COSTS.get(func._overloadpacket):
            self.total += formula(*args, **(kwargs or {}), out_val=out) * (3 if torch.is_grad_enabled() else 1)
        return out


def known_peak_tflops(device: torch.device) -> float | None:
    """The peak of a GPU in the table; None for other devices."""
    if device.type != "cuda":
        return None
    name = torch.cuda.get_device_name(device)
    return next((peak for known, peak in PEAK_TFLOPS.items() if known in name), None)
