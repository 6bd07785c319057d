"""The archive of the compression track: a zip with one .npz per sample.

Each .npz holds `indices` int32 [T, h, w, k], the k likeliest codes of each token of the T future grids, best first, and
`values` float32 of the same shape, their log-probabilities over the whole vocabulary (k = 500, T = 3, h = w = 32).
Log-probabilities are valid logits: a scorer that normalises over the 500 codes gets the same result as with any logits.
1X has not published the names of the archive members; the name is an option, and only its number is read here.
"""

import io
import re
import shutil
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hwm_core.errors import BadBag, BadConfig
from hwm_core.io.atomic import new_file
from hwm_core.io.numpy_files import read_npz
from hwm_core.metrics.tokens import TOP

_EPOCH = (1980, 1, 1, 0, 0, 0)  # a fixed date, so that equal samples give equal bytes
_ROUNDING = 1e-3  # rounding error of the sum of 500 float32 probabilities


@dataclass(frozen=True)
class ArchiveLayout:
    """The shape of the samples in an archive."""

    grids: int = 3
    height: int = 32
    width: int = 32
    vocabulary: int = 64_000
    top: int = TOP

    @property
    def shape(self) -> tuple[int, ...]:
        """Of `indices` and `values`."""
        return (self.grids, self.height, self.width, self.top)


def write_sample(path: Path, codes: NDArray[np.int32], log_probs: NDArray[np.float32], layout: ArchiveLayout) -> None:
    """Write one .npz atomically. Raises BadBag as `check_sample`."""
    check_sample(path.name, {"indices": codes, "values": log_probs}, layout)
    with new_file(path) as partial, partial.open("wb") as file:  # savez would append .npz to a path
        np.savez_compressed(file, indices=codes, values=log_probs)


def check_pattern(pattern: str) -> None:
    """Raises BadConfig if the file names inside the archive do not end with the number and .npz."""
    if not pattern.endswith("{number}.npz") or pattern.count("{") > 1:
        raise BadConfig(
            "File names in the archive",
            expected="a name that ends with {number}.npz",
            got=pattern,
            remedy="Use a name such as a_{number}.npz.",
        )


def write_archive(
    path: str | Path, samples: Mapping[int, Path], layout: ArchiveLayout, pattern: str = "{number}.npz"
) -> None:
    """Zip .npz files. The archive appears only once it is complete and valid.

    Args:
        samples: .npz files by sample number.
        pattern: file name inside the archive, with `{number}`.

    Raises:
        BadConfig: `pattern` lacks the number.
        BadBag: as `validate_archive`.
    """
    check_pattern(pattern)
    with new_file(path) as partial:
        with zipfile.ZipFile(partial, "w", zipfile.ZIP_STORED) as archive:
            for number in sorted(samples):
                member = zipfile.ZipInfo(pattern.format(number=number), _EPOCH)
                member.external_attr = 0o644 << 16
                with samples[number].open("rb") as source, archive.open(member, "w", force_zip64=True) as target:
                    shutil.copyfileobj(source, target)
        validate_archive(partial, layout, [*samples])


def validate_archive(path: str | Path, layout: ArchiveLayout, numbers: Sequence[int] | None = None) -> int:
    """Read and check the whole archive; return the number of samples.

    Args:
        numbers: the expected sample numbers; by default 0, 1, 2 ... without a gap.

    Raises:
        BadBag: the archive cannot be read; a sample is missing, unexpected, duplicate or wrong (`check_sample`).
    """
    found: set[int] = set()
    for number, arrays in read_archive(path):
        if number in found:
            raise _bad(f"{path}", "each sample once", f"sample {number} twice", "Number the files by sample.")
        check_sample(f"{path}: sample {number}", arrays, layout)
        found.add(number)
    wanted = set(numbers) if numbers is not None else set(range(max(found, default=-1) + 1))
    if missing := sorted(wanted - found):
        raise _bad(f"{path}", f"{len(wanted)} samples", f"{len(found)}, without {_some(missing)}", "Compress them all.")
    if unknown := sorted(found - wanted):
        raise _bad(f"{path}", f"{len(wanted)} samples", f"unexpected samples: {_some(unknown)}", "Remove them.")
    if not found:
        raise _bad(f"{path}", "samples", "an empty archive", "Compress the test set.")
    return len(found)


def read_archive(path: str | Path) -> Iterator[tuple[int, dict[str, NDArray]]]:
    """The number and the arrays of each sample. Raises BadBag for a damaged archive, or a file that is not a sample."""
    try:
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                number = re.search(r"(\d+)\.npz$", name)
                if number is None:
                    raise _bad(f"{path}: {name}", "numbered files, such as 17.npz", name, "Remove other files.")
                yield int(number[1]), _arrays(f"{path}: {name}", archive.read(name))
    except (OSError, zipfile.BadZipFile) as error:
        raise _bad(f"{path}", "a whole zip archive", f"{type(error).__name__}: {error}", "Write it again.") from error


def check_sample(name: str, arrays: Mapping[str, NDArray], layout: ArchiveLayout) -> None:
    """Check one sample.

    Raises BadBag for missing arrays, wrong types or shapes, codes outside the vocabulary, duplicate codes, and values
    that are not finite, not sorted or not log-probabilities.
    """
    for key, dtype in (("indices", np.int32), ("values", np.float32)):
        if key not in arrays:
            raise _bad(name, "`indices` and `values`", ", ".join(arrays) or "nothing", "Write both arrays.")
        array = arrays[key]
        if array.dtype != dtype or array.shape != layout.shape:
            wanted = f"{np.dtype(dtype)} {list(layout.shape)}"
            raise _bad(f"{name}: `{key}`", wanted, f"{array.dtype} {list(array.shape)}", "Write this type and shape.")
    codes, values = arrays["indices"], arrays["values"]
    if codes.min() < 0 or codes.max() >= layout.vocabulary:
        got = f"{codes.min()} to {codes.max()}"
        raise _bad(f"{name}: `indices`", f"codes 0 to {layout.vocabulary - 1}", got, "Use the vocabulary of the set.")
    ordered = np.sort(codes, axis=-1)
    if (twice := ordered[..., 1:] == ordered[..., :-1]).any():
        at = [int(i) for i in np.argwhere(twice.any(-1))[0]]
        raise _bad(
            f"{name}: `indices`", f"{layout.top} different codes", f"a duplicate code at {at}", "Rank each code once."
        )
    if not np.isfinite(values).all():
        raise _bad(f"{name}: `values`", "finite numbers", "NaN or infinity", "Give log-probabilities.")
    if (np.diff(values, axis=-1) > 0).any():
        raise _bad(f"{name}: `values`", "the likeliest code first", "increasing values", "Sort codes and values.")
    mass = np.exp(values.astype(np.float64)).sum(-1).max()
    if mass > 1 + _ROUNDING:
        got = f"probabilities that sum to {mass:.4g}"
        raise _bad(f"{name}: `values`", "log-probabilities over all codes", got, "Apply log_softmax, then rank.")


def _arrays(name: str, data: bytes) -> dict[str, NDArray]:
    try:
        return read_npz(io.BytesIO(data))
    except (OSError, ValueError) as error:
        raise _bad(name, "an .npz", str(error), "Write it again.") from error


def _some(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers[:5])) + (f" and {len(numbers) - 5} more" if len(numbers) > 5 else "")


def _bad(what: str, expected: str, got: str, remedy: str) -> BadBag:
    return BadBag(what, expected=expected, got=got, remedy=remedy)
