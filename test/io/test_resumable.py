"""Partial results on disk: complete, of one run only, and readable after a restart."""

from pathlib import Path

import numpy as np
import pytest

from hwm_core.errors import BadBag, BadConfig
from hwm_core.io.resumable import ResumableResults

SETTINGS = {"checkpoint": {"name": "a"}, "settings": {"stride": 5, "horizons": (8, 16)}}


@pytest.fixture
def begun(tmp_path: Path) -> ResumableResults:
    results = ResumableResults(tmp_path, SETTINGS)
    results.begin()
    return results


def test_arrays_are_read_back_bit_for_bit_with_the_same_settings(tmp_path: Path) -> None:
    numbers = {"model/mse": np.random.default_rng(0).random((4, 24)), "moved_pixels": np.arange(4)}
    ResumableResults(tmp_path, SETTINGS)["3"] = numbers
    again = ResumableResults(tmp_path, SETTINGS)
    assert "3" in again and "2" not in again
    for name, values in again["3"].items():
        assert values.dtype == numbers[name].dtype and np.array_equal(values, numbers[name])


def test_json_is_read_back_with_the_same_settings(tmp_path: Path) -> None:
    ResumableResults(tmp_path, SETTINGS).write_json("0", {"mse": 0.5})
    again = ResumableResults(tmp_path, SETTINGS)
    assert again.read_json("0") == {"mse": 0.5} and again.read_json("1") is None


def test_other_settings_are_rejected_by_name(begun: ResumableResults, tmp_path: Path) -> None:
    other = {"checkpoint": {"name": "b"}, "settings": {"stride": 5, "horizons": (8, 24)}}
    with pytest.raises(BadConfig, match=r"checkpoint.name b in place of a, settings.horizons \[8, 24\]"):
        ResumableResults(tmp_path, other)
    with pytest.raises(BadConfig, match="expected the checkpoint, settings it was started with"):
        ResumableResults(tmp_path, other)
    with pytest.raises(BadConfig, match="expected the batch it was started with"):
        ResumableResults(tmp_path, {**SETTINGS, "batch": 1})
    ResumableResults(tmp_path, SETTINGS)


def test_other_settings_are_rejected_when_another_process_began_first(tmp_path: Path) -> None:
    late = ResumableResults(tmp_path, {**SETTINGS, "batch": 1})
    ResumableResults(tmp_path, SETTINGS).begin()
    with pytest.raises(BadConfig, match="expected the batch it was started with"):
        late["0"] = {"mse": np.zeros(1)}


def test_nothing_is_written_before_the_first_part_and_nothing_is_left_at_the_end(tmp_path: Path) -> None:
    results = ResumableResults.for_output(tmp_path / "out", SETTINGS)
    assert not list(tmp_path.iterdir())
    results.write_json("0", {"mse": 0.5})
    assert [path.name for path in tmp_path.iterdir()] == ["out.unfinished"]
    results.remove()
    assert not list(tmp_path.iterdir())


def test_an_output_that_exists_is_rejected(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(BadConfig, match="one that exists"):
        ResumableResults.for_output(tmp_path / "out", SETTINGS)


def test_arrays_that_cannot_be_written_leave_no_file(tmp_path: Path) -> None:
    class Broken:
        def __array__(self, *_: object, **__: object) -> np.ndarray:
            raise OSError("no space left")

    results = ResumableResults(tmp_path, SETTINGS)
    with pytest.raises(OSError, match="no space"):
        results["0"] = {"good": np.zeros(9), "bad": Broken()}  # type: ignore[dict-item]
    assert "0" not in results and not list(tmp_path.glob("*.partial"))


def test_truncated_arrays_are_rejected_by_path(tmp_path: Path) -> None:
    results = ResumableResults(tmp_path, SETTINGS)
    results["000000"] = {"model/mse": np.zeros((4, 24))}
    path = tmp_path / "000000.npz"
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(BadBag, match=r"000000\.npz"):
        results["000000"]


@pytest.mark.parametrize("text", ["", '{"seed": 0, "si', "[]"])
def test_a_truncated_part_of_json_is_rejected_by_path(begun: ResumableResults, text: str) -> None:
    begun.path("0.json").write_text(text)
    with pytest.raises(BadBag, match=r"0\.json: expected a JSON object.*Remove it"):
        begun.read_json("0")


@pytest.mark.parametrize("text", ["", '{"checkpoint": {"na', "[]"])
def test_truncated_settings_are_rejected_by_path_and_kept(begun: ResumableResults, tmp_path: Path, text: str) -> None:
    path = begun.path("settings.json")
    path.write_text(text)
    with pytest.raises(BadBag, match=r"settings\.json: expected a JSON object.*start again"):
        ResumableResults(tmp_path, SETTINGS)
    assert path.read_text() == text
