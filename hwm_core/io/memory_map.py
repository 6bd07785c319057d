"""Large files as arrays that are read where they are looked at."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray


def map_file(path: Path, size: int) -> NDArray[np.uint8]:
    """The first `size` bytes of a file, at least one; what is written to them stays in memory.

    numpy's own memory map keeps a file open for each, and 1,024 open files are a usual limit.
    """
    return torch.from_file(str(path), shared=False, size=size, dtype=torch.uint8).numpy()
