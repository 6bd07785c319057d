"""The archive of the compression track, and the errors that `validate` finds in it."""

import zipfile

import numpy as np
import pytest

from hwm_core.challenge.submission import ArchiveLayout, check_sample, validate_archive, write_archive
from hwm_core.errors import BadBag, BadConfig

TINY = ArchiveLayout(grids=1, height=2, width=2, vocabulary=10, top=3)


def good(number: int = 0) -> dict[str, np.ndarray]:
    codes = np.broadcast_to(
        np.array([number % 10, (number + 1) % 10, (number + 2) % 10], np.int32), (1, 2, 2, 3)
    ).copy()
    return {"indices": codes, "values": np.log(np.broadcast_to([0.5, 0.3, 0.1], (1, 2, 2, 3))).astype(np.float32)}


def with_(key: str, value) -> dict[str, np.ndarray]:
    return {**good(), key: value}


FAULTS = {
    "a wrong float type": (lambda: with_("values", good()["values"].astype(np.float64)), "float32"),
    "a wrong integer type": (lambda: with_("indices", good()["indices"].astype(np.int64)), "int32"),
    "a wrong shape": (lambda: with_("indices", good()["indices"][0]), r"\[1, 2, 2, 3\]"),
    "a missing array": (lambda: {"indices": good()["indices"]}, "`indices` and `values`"),
    "a duplicate code": (lambda: with_("indices", np.zeros((1, 2, 2, 3), np.int32)), "a duplicate code at"),
    "codes outside the vocabulary": (lambda: with_("indices", good()["indices"] + 8), "codes 0 to 9"),
    "NaN": (lambda: with_("values", np.full((1, 2, 2, 3), np.nan, np.float32)), "NaN"),
    "unsorted values": (lambda: with_("values", good()["values"][..., ::-1].copy()), "likeliest code first"),
    "raw logits": (lambda: with_("values", good()["values"] + 3), "log_softmax"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_wrong_sample_is_rejected_with_its_error(fault) -> None:
    make, message = FAULTS[fault]
    check_sample("sample 0", good(), TINY)
    with pytest.raises(BadBag, match=message):
        check_sample("sample 0", make(), TINY)


def archive(path, numbers, pattern: str = "{number}.npz"):
    files = {}
    for number in numbers:
        files[number] = path.parent / f"s{number}.npz"
        np.savez(files[number], **good(number))
    write_archive(path, files, TINY, pattern)
    return path


def test_an_archive_with_missing_or_unexpected_samples_is_rejected(tmp_path) -> None:
    path = archive(tmp_path / "a.zip", [0, 1, 3], "sample_{number}.npz")
    assert zipfile.ZipFile(path).namelist() == ["sample_0.npz", "sample_1.npz", "sample_3.npz"]
    assert validate_archive(path, TINY, [0, 1, 3]) == 3
    with pytest.raises(BadBag, match="without 2"):
        validate_archive(path, TINY)
    with pytest.raises(BadBag, match="unexpected samples: 3"):
        validate_archive(path, TINY, [0, 1])
    with pytest.raises(BadConfig, match="number"):
        write_archive(tmp_path / "b.zip", {}, TINY, "sample.npz")
    np.savez(tmp_path / "bad.npz", **with_("values", good()["values"] + 3))
    with pytest.raises(BadBag, match="log_softmax"):
        write_archive(tmp_path / "b.zip", {0: tmp_path / "bad.npz"}, TINY)
    assert not (tmp_path / "b.zip").exists()


def test_a_damaged_archive_is_rejected_with_its_error(tmp_path) -> None:
    whole = archive(tmp_path / "a.zip", [0, 1]).read_bytes()
    (tmp_path / "truncated.zip").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "flipped.zip").write_bytes(whole[:200] + bytes([whole[200] ^ 0xFF]) + whole[201:])
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as other:
        other.writestr("readme.txt", "hello")
    with zipfile.ZipFile(tmp_path / "duplicate.zip", "w") as duplicate:
        for name in ("a_1.npz", "b_1.npz"):
            duplicate.writestr(name, (tmp_path / "s1.npz").read_bytes())
    for name, message in (
        ("truncated", "whole zip|numbered files"),
        ("flipped", "zip archive|an .npz"),
        ("other", "readme"),
        ("duplicate", "sample 1 twice"),
        ("missing", "No such file"),
    ):
        with pytest.raises(BadBag, match=message):
            validate_archive(tmp_path / f"{name}.zip", TINY)
