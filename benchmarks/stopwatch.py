"""How long a call takes: the median of a few, after one to warm up."""

import statistics
import time
from collections.abc import Callable

import torch


def median_seconds(call: Callable[[], object], device: torch.device, repeats: int) -> float:
    """On a CPU seconds that this process computed, whatever else the machine does; on a GPU seconds until done."""
    cuda = device.type == "cuda"
    clock = time.perf_counter if cuda else time.process_time
    seconds = []
    for _ in range(1 + repeats):
        start = clock()
        call()
        if cuda:
            torch.cuda.synchronize(device)
        seconds.append(clock() - start)
    return statistics.median(seconds[1:])
