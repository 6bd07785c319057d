"""How long a call takes."""

import statistics
import time
from collections.abc import Callable

import torch


def seconds(call: Callable[[], object], device: torch.device) -> float:
    """On a CPU seconds that this process computed, whatever else the machine does; on a GPU seconds until done."""
    cuda = device.type == "cuda"
    clock = time.perf_counter if cuda else time.process_time
    start = clock()
    call()
    if cuda:
        torch.cuda.synchronize(device)
    return clock() - start


def median_seconds(call: Callable[[], object], device: torch.device, repeats: int) -> float:
    """The median of a few calls, after one to warm up."""
    return statistics.median([seconds(call, device) for _ in range(1 + repeats)][1:])
