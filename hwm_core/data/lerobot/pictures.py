"""Pictures that a LeRobot dataset stores in its tables, one in each row of a column of dtype image."""

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow
from numpy.typing import NDArray

from hwm_core.data.lerobot.columns import only_column
from hwm_core.data.lerobot.dataset import LeRobotDataset
from hwm_core.data.lerobot.tables import read_table
from hwm_core.data.recording.image_message import decode_image
from hwm_core.errors import BadBag, BadImage


def read_pictures(dataset: LeRobotDataset, number: int, key: str) -> pyarrow.ChunkedArray:
    """The stored pictures of one episode, for `decode_picture`. Raises BadBag for a damaged table."""
    try:
        return only_column(read_table(dataset, number, [key]), key)
    except ValueError as error:
        raise BadBag(
            f"Table {dataset.entry(number).table}",
            expected=f"pictures in the column `{key}`",
            got=str(error),
            remedy="Remove one of the columns, or download the file again.",
        ) from None


def decode_picture(stored: Any, feature: Mapping[str, Any], folder: Path, where: str) -> NDArray[np.uint8]:
    """One picture as RGB, uint8 [H, W, 3].

    Args:
        stored: the value of a row: a png or jpeg file ({"bytes", "path"}, bytes, or a path), or lists of numbers.
        feature: its description in info.json; the order of height, width and channels of lists of numbers.
        folder: of the dataset; paths start there.
        where: for error messages.

    Raises:
        BadImage: no picture, one that does not decode, depth, or a path outside of the folder.
    """
    if isinstance(stored, Mapping):
        stored = stored.get("bytes") or stored.get("path")
    if isinstance(stored, str):
        stored = _file(stored, folder, where)
    if isinstance(stored, bytes):
        return decode_image(SimpleNamespace(format="", data=stored))
    try:
        pixels = np.asarray(stored)
    except ValueError:
        pixels = np.empty(0)
    names = feature.get("names")
    if pixels.ndim == 3 and (
        (isinstance(names, list) and str(names[0]).startswith("channel")) or (pixels.shape[0] == 3 != pixels.shape[2])
    ):
        pixels = pixels.transpose(1, 2, 0)
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype.kind not in "iu" or _beyond_bytes(pixels):
        raise BadImage(
            where,
            expected="a png or jpeg file, or whole numbers 0..255 [H, W, 3]",
            got="nothing" if stored is None else f"{pixels.dtype} {list(pixels.shape)}",
            remedy="Store the picture as png, or leave out the episode.",
        )
    return np.ascontiguousarray(pixels, dtype=np.uint8)


def _beyond_bytes(pixels: NDArray) -> bool:
    return pixels.size == 0 or int(pixels.min()) < 0 or int(pixels.max()) > 255


def _file(path: str, folder: Path, where: str) -> bytes:
    file = folder / path
    if not file.resolve().is_relative_to(folder.resolve()) or not file.is_file():
        raise BadImage(
            where,
            expected="the bytes of a picture, or the path of a file in the dataset",
            got=f"`{path}`",
            remedy="Download the pictures, or store their bytes in the table.",
        )
    return file.read_bytes()
