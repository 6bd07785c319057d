"""Reads .npz files and headers of .npy files, which may be damaged."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tokenize import TokenError
from typing import Any, BinaryIO
from zipfile import BadZipFile
from zlib import error as ZlibError

import numpy as np
from numpy.typing import NDArray

# What zipfile and NumPy raise on damaged bytes besides OSError and ValueError: a bad checksum, an unknown version or
# compression, an "encrypted" member, a cut stream, and a header that is no Python literal.
_DAMAGE = (BadZipFile, RuntimeError, ZlibError, EOFError, TypeError, SyntaxError, TokenError, MemoryError)


@contextmanager
def _damage_as_value_error() -> Iterator[None]:
    try:
        yield
    except _DAMAGE as error:
        raise ValueError(f"{type(error).__name__}: {error}") from error


def read_npz(source: Path | BinaryIO) -> dict[str, NDArray[Any]]:
    """The arrays of an .npz file, by name. Raises OSError for an absent file, and ValueError for a damaged one."""
    with _damage_as_value_error(), np.load(source, allow_pickle=False) as file:
        return dict(file)


def read_npy_header(path: Path) -> tuple[tuple[int, ...], np.dtype[Any], int]:
    """Shape, type and first byte of the array in a .npy file of version 1.0.

    Raises OSError for an absent file, and ValueError for a damaged one.
    """
    with _damage_as_value_error(), path.open("rb") as file:
        np.lib.format.read_magic(file)
        shape, _, dtype = np.lib.format.read_array_header_1_0(file)
        return shape, dtype, file.tell()
