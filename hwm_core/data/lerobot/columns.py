"""Numeric columns of LeRobot tables, in every form that published datasets store them."""

import numpy as np
import pyarrow
import pyarrow.compute
from numpy.typing import NDArray


def only_column(table: pyarrow.Table, name: str) -> pyarrow.ChunkedArray:
    """The column with this name. Raises ValueError where there is none, or several with different values."""
    places = table.schema.get_all_field_indices(name)
    if not places:
        raise ValueError(f"no column `{name}`")
    first = table.column(places[0])
    if any(not first.equals(table.column(place)) for place in places[1:]):
        raise ValueError(f"{len(places)} columns `{name}` with different values")
    return first


def numeric_rows(column: pyarrow.ChunkedArray) -> NDArray[np.float64]:
    """The values of a column of numbers, or of nested lists of numbers.

    Args:
        column: N rows; scalars give one value a row, nested lists are flattened in row-major order.

    Returns:
        [N, A]; NaN for null, and for every value of a row that is null.

    Raises:
        ValueError: the column has no numbers, or rows have different lengths.
    """
    return _numbers(pyarrow.concat_arrays(column.chunks) if column.num_chunks else pyarrow.array([], column.type))


def is_list(kind: pyarrow.DataType) -> bool:
    """Whether a column of this type has a list in each row."""
    return bool(
        pyarrow.types.is_list(kind) or pyarrow.types.is_large_list(kind) or pyarrow.types.is_fixed_size_list(kind)
    )


def is_number(kind: pyarrow.DataType) -> bool:
    """Whether a column of this type has one number in each row."""
    return bool(pyarrow.types.is_floating(kind) or pyarrow.types.is_integer(kind))


def holds_numbers(kind: pyarrow.DataType) -> bool:
    """Whether the rows of a column of this type are numbers, or lists of numbers, of any depth."""
    if isinstance(kind, pyarrow.ExtensionType):
        kind = kind.storage_type
    if pyarrow.types.is_dictionary(kind) or is_list(kind):
        return holds_numbers(kind.value_type)
    return is_number(kind) or any(check(kind) for check in _LIKE_NUMBERS)


def _numbers(array: pyarrow.Array) -> NDArray[np.float64]:
    if isinstance(array, pyarrow.ExtensionArray):
        array = array.storage
    if pyarrow.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if is_list(array.type):
        present = array.is_valid().to_numpy(zero_copy_only=False)
        lists = array.drop_null()
        lengths = sorted(pyarrow.compute.unique(pyarrow.compute.list_value_length(lists)).to_pylist())
        if len(lengths) > 1:
            raise ValueError(f"rows of {' or '.join(map(str, lengths))} values")
        inner = _numbers(lists.flatten())
        width = (lengths[0] if lengths else 0) * inner.shape[1]
        rows = np.full((len(array), width), np.nan)
        rows[present] = inner.reshape(len(lists), width)
        return rows
    kind = array.type
    if not (is_number(kind) or any(check(kind) for check in _LIKE_NUMBERS)):
        raise ValueError(f"{kind} in place of numbers")
    # Rows of null, and bool, have no direct conversion to numpy.
    return np.asarray(array.cast(pyarrow.float64(), safe=False).to_numpy(zero_copy_only=False)).reshape(-1, 1)


_LIKE_NUMBERS = (pyarrow.types.is_boolean, pyarrow.types.is_decimal, pyarrow.types.is_null)
