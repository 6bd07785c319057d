"""The duration of a call."""

import statistics
import time
from collections.abc import Callable

import torch


def seconds(call: Callable[[], object], device: torch.device) -> float:
    """Processor time of this process on a CPU, so that other load on the machine does not count; wall time on a GPU."""
    cuda = device.type == "cuda"
    clock = time.perf_counter if cuda else time.process_time
    start = clock()
    call()
    if cuda:
        torch.cuda.synchronize(device)
    return clock() - start


def median_seconds(call: Callable[[], object], device: torch.device, repeats: int) -> float:
    """The median of `repeats` calls, after one warm-up call."""
    return statistics.median([seconds(call, device) for _ in range(1 + repeats)][1:])
