"""The memory of images that are decoded one after the other."""

from functools import cache

import numpy as np

_BLOCK_BYTES = 16 << 20


@cache
def keep_image_memory() -> None:
    """Let the process keep the memory of images that it frees, up to 32 MB, and use it for the next ones.

    glibc gives freed memory back to the system above a limit of twice the largest block that was ever freed. With a
    low limit, each image gets new pages, which the system has to clear: that took up to a third of the time of reading.
    So one large block is freed first, without touching it. Elsewhere this has no effect.
    """
    np.empty(_BLOCK_BYTES, dtype=np.uint8)
