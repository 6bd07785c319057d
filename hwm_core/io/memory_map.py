"""Memory-mapped files as arrays."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray


def map_file(path: Path, size: int) -> NDArray[np.uint8]:
    """Map the first `size` bytes of a file, at least one. Writes stay in memory.

    `numpy.memmap` keeps a file open for each array; a common limit is 1,024 open files.
    """
    return torch.from_file(str(path), shared=False, size=size, dtype=torch.uint8).numpy()
