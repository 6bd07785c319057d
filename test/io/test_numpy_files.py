"""Damaged .npz and .npy files."""

import io
from random import Random

import numpy as np
import pytest

from hwm_core.io.numpy_files import read_npy_header, read_npz


def flipped(data: bytes, random: Random, end: int) -> bytes:
    """A copy with 1 to 4 of the first `end` bytes changed."""
    damaged = bytearray(data)
    for _ in range(random.choice([1, 1, 2, 4])):
        damaged[random.randrange(end)] ^= random.randrange(1, 256)
    return bytes(damaged)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_flipped_bytes_of_an_npz_raise_only_value_or_os_errors(save):
    with io.BytesIO() as file:
        save(file, names=["a", "b"], states=np.arange(12.0).reshape(6, 2))
        whole = file.getvalue()
    random, errors = Random(0), 0
    for _ in range(1000):  # of 60,000 flips, 3.8 % raise NotImplementedError, RuntimeError or zlib.error in NumPy
        try:
            read_npz(io.BytesIO(flipped(whole, random, len(whole))))
        except (OSError, ValueError):
            errors += 1
    assert errors > 500


@pytest.mark.filterwarnings("ignore")
def test_flipped_bytes_of_an_npy_header_raise_only_value_or_os_errors(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((2, 3), np.uint8))
    whole, random, errors = (tmp_path / "a.npy").read_bytes(), Random(0), 0
    for _ in range(300):  # of 100,000 flips, 8 % raise TokenError, TypeError or SyntaxError in NumPy
        (tmp_path / "b.npy").write_bytes(flipped(whole, random, 128))
        try:
            read_npy_header(tmp_path / "b.npy")
        except (OSError, ValueError):
            errors += 1
    assert errors > 100
    assert read_npy_header(tmp_path / "a.npy") == ((2, 3), np.dtype(np.uint8), 128)
