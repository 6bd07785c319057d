"""The times of the rows of a LeRobot table, in every spelling of time that published datasets use."""

from dataclasses import dataclass

import numpy as np
import pyarrow
from numpy.typing import NDArray

from hwm_core.data.lerobot.columns import numeric_rows

_UNITS = {1.0: "seconds", 1e3: "milliseconds", 1e6: "microseconds", 1e9: "nanoseconds"}
_ARROW_UNITS = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}
# A rate within this factor of `fps` is irregular; a conversion or hwm verify reports by how much.
_SAME_RATE = 1.5
_MOST_S = 9e9  # int64 nanoseconds hold 292 years


@dataclass(frozen=True)
class RowTimes:
    """Times of the N rows of an episode."""

    seconds: NDArray[np.float64]  # [N]
    remark: str = ""  # how the stored values differ from seconds; empty where they do not


def row_times(column: pyarrow.ChunkedArray, fps: float) -> RowTimes:
    """Read the column `timestamp`.

    The unit is the one in which the median interval fits `fps`. Times since 1970 in float32 advance only every 128 s:
    then the rows are placed at row / fps.

    Args:
        column: one number or arrow time a row; a list of one number is accepted.
        fps: frame rate of info.json.

    Raises:
        ValueError: a row has no time, several values, or no number; the times do not advance; or their intervals fit
            `fps` in no unit.
    """
    scale, values, single = _values(column)
    if not np.isfinite(values).all():
        raise ValueError(f"no number in row {int(np.flatnonzero(~np.isfinite(values))[0])}")
    if len(values) > 1:
        steps = np.diff(values)
        if np.median(steps) <= 0:
            return _from_rows(values, single, fps)
        period = float(np.median(np.abs(steps)))
        units = (scale,) if scale else tuple(_UNITS)
        scale = next((one for one in units if one / _SAME_RATE < period * fps < one * _SAME_RATE), None)
        if scale is None:
            raise ValueError(f"intervals of {period:.6g}, which do not fit {fps:g} rows a second")
    scale = scale or 1.0
    if abs(values).max(initial=0.0) / scale > _MOST_S:
        raise ValueError(f"{values[0]:.6g} in the first row, and intervals that do not fit {fps:g} rows a second")
    # The first value is divided alone: times since 1970 in nanoseconds exceed the precision of float64.
    seconds = values[:1] / scale + (values - values[:1]) / scale
    return RowTimes(seconds, "" if scale == 1 else f"the timestamps are in {_UNITS[scale]}")


def _values(column: pyarrow.ChunkedArray) -> tuple[float | None, NDArray[np.float64], bool]:
    """The scale of the values if their type states it, the values, and whether they are of single precision."""
    kind = column.type
    if any(is_time(kind) for is_time in (pyarrow.types.is_timestamp, pyarrow.types.is_duration, pyarrow.types.is_time)):
        whole = pyarrow.int32() if pyarrow.types.is_time32(kind) else pyarrow.int64()
        return _ARROW_UNITS[kind.unit], numeric_rows(column.cast(whole)).reshape(-1), False
    rows = numeric_rows(column)
    if rows.shape[1] != 1:
        raise ValueError(f"{rows.shape[1]} values a row")
    values = rows[:, 0]
    return None, values, bool(np.array_equal(values.astype(np.float32), values))


def _from_rows(values: NDArray[np.float64], single: bool, fps: float) -> RowTimes:
    """Row / fps, where the values are the same times in single precision. Raises ValueError otherwise."""
    spacing = float(np.spacing(np.float32(abs(values).max())))
    rows = np.arange(len(values)) / fps
    fits = any(np.abs(values - values[0] - rows * scale).max() <= spacing for scale in _UNITS)
    if not (single and fits and spacing > 0.5 / fps):
        raise ValueError("timestamps that do not advance")
    return RowTimes(rows, f"the timestamps are of single precision, {spacing:g} apart: row / fps is used")
