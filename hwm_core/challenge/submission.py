"""The archive of the compression track: a zip with an .npz for each sample.

Each .npz holds `indices` int32 [T, h, w, k], the k likeliest codes of each token of the T grids to come, best first,
and `values` float32 of the same shape, their log-probabilities over the whole vocabulary (k = 500; T = 3, h = w = 32).
Log-probabilities are logits too: a scorer that normalises them anew over the 500 gets the same as from any logits. How
1X wants the members named is not published; the name is an option, and its number is what counts here.
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
from hwm_core.metrics.tokens import TOP

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the same bytes whenever it was written
_ROUNDING = 1e-3  # of the sum of 500 probabilities in float32


@dataclass(frozen=True)
class ArchiveLayout:
    """What an archive must hold."""

    grids: int = 3
    height: int = 32
    width: int = 32
    vocabulary: int = 64_000
    top: int = TOP

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.grids, self.height, self.width, self.top)


def write_sample(path: Path, codes: NDArray[np.int32], log_probs: NDArray[np.float32], layout: ArchiveLayout) -> None:
    """Write one .npz, whole or not at all. Raises BadBag as `check_sample`."""
    check_sample(path.name, {"indices": codes, "values": log_probs}, layout)
    with new_file(path) as partial, partial.open("wb") as file:  # savez would add .npz to a name
        np.savez_compressed(file, indices=codes, values=log_probs)


def check_pattern(pattern: str) -> None:
    """Raises BadConfig for a name of members without the sample's number before .npz."""
    if not pattern.endswith("{number}.npz") or pattern.count("{") > 1:
        raise BadConfig("Names of members", expected="as a_{number}.npz", got=pattern, remedy="End it so.")


def write_archive(
    path: str | Path, samples: Mapping[int, Path], layout: ArchiveLayout, pattern: str = "{number}.npz"
) -> None:
    """Zip .npz files by the numbers of their samples; it appears whole and valid or not at all.

    Args:
        pattern: of a member's name, with `{number}` in it.

    Raises:
        BadConfig: a pattern without the number.
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
    """Read all of it; returns how many samples it holds.

    Args:
        numbers: of the samples it must hold, no more and no fewer; by default 0, 1, 2 ... without a hole.

    Raises:
        BadBag: it cannot be read, samples are missing, too many or named twice, or one is wrong (`check_sample`).
    """
    found: set[int] = set()
    for number, arrays in read_archive(path):
        if number in found:
            raise _bad(f"{path}", "each sample once", f"sample {number} twice", "Name the members by their samples.")
        check_sample(f"{path}: sample {number}", arrays, layout)
        found.add(number)
    wanted = set(numbers) if numbers is not None else set(range(max(found, default=-1) + 1))
    if missing := sorted(wanted - found):
        raise _bad(f"{path}", f"{len(wanted)} samples", f"{len(found)}, without {_some(missing)}", "Compress them all.")
    if unknown := sorted(found - wanted):
        raise _bad(f"{path}", f"{len(wanted)} samples", f"others too: {_some(unknown)}", "Hand in those asked for.")
    if not found:
        raise _bad(f"{path}", "samples", "none", "Compress the test set.")
    return len(found)


def read_archive(path: str | Path) -> Iterator[tuple[int, dict[str, NDArray]]]:
    """Number and arrays of each sample. Raises BadBag for a damaged archive, or a member that is no sample."""
    try:
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                number = re.search(r"(\d+)\.npz$", name)
                if number is None:
                    raise _bad(f"{path}: {name}", "members named by number, as 17.npz", name, "Remove other files.")
                yield int(number[1]), _arrays(f"{path}: {name}", archive.read(name))
    except (OSError, zipfile.BadZipFile) as error:
        raise _bad(f"{path}", "a whole zip archive", f"{type(error).__name__}: {error}", "Write it again.") from error


def check_sample(name: str, arrays: Mapping[str, NDArray], layout: ArchiveLayout) -> None:
    """Raises BadBag for absent arrays, wrong types or shapes, codes outside the vocabulary or twice at one token, and
    for values that are not finite, not sorted or no log-probabilities."""
    for key, dtype in (("indices", np.int32), ("values", np.float32)):
        if key not in arrays:
            raise _bad(name, "`indices` and `values`", ", ".join(arrays) or "nothing", "Write both arrays.")
        array = arrays[key]
        if array.dtype != dtype or array.shape != layout.shape:
            wanted = f"{np.dtype(dtype)} {list(layout.shape)}"
            raise _bad(f"{name}: `{key}`", wanted, f"{array.dtype} {list(array.shape)}", "Write it in that shape.")
    codes, values = arrays["indices"], arrays["values"]
    if codes.min() < 0 or codes.max() >= layout.vocabulary:
        got = f"{codes.min()} to {codes.max()}"
        raise _bad(f"{name}: `indices`", f"codes 0 to {layout.vocabulary - 1}", got, "Use the codes of the set.")
    ordered = np.sort(codes, axis=-1)
    if (twice := ordered[..., 1:] == ordered[..., :-1]).any():
        at = [int(i) for i in np.argwhere(twice.any(-1))[0]]
        raise _bad(
            f"{name}: `indices`", f"{layout.top} different codes", f"one of them twice at {at}", "Take the best k."
        )
    if not np.isfinite(values).all():
        raise _bad(f"{name}: `values`", "finite numbers", "NaN or infinity", "Give log-probabilities.")
    if (np.diff(values, axis=-1) > 0).any():
        raise _bad(f"{name}: `values`", "the likeliest code first", "values that rise", "Sort codes and values.")
    mass = np.exp(values.astype(np.float64)).sum(-1).max()
    if mass > 1 + _ROUNDING:
        got = f"probabilities that sum to {mass:.4g}"
        raise _bad(f"{name}: `values`", "log-probabilities over all codes", got, "Take log_softmax before the best k.")


def _arrays(name: str, data: bytes) -> dict[str, NDArray]:
    try:
        with np.load(io.BytesIO(data)) as file:
            return dict(file)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise _bad(name, "an .npz", f"{type(error).__name__}: {error}", "Write it again.") from error


def _some(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers[:5])) + (f" and {len(numbers) - 5} more" if len(numbers) > 5 else "")


def _bad(what: str, expected: str, got: str, remedy: str) -> BadBag:
    return BadBag(what, expected=expected, got=got, remedy=remedy)
