"""What was judged so far, on disk: whole, of one evaluation, and nothing lost."""

from pathlib import Path

import numpy as np
import pytest

from hwm_core.errors import BadBag, BadConfig
from hwm_core.io.ledger import Ledger

SETTINGS = {"checkpoint": {"name": "a"}, "settings": {"stride": 5, "horizons": (8, 16)}}


def test_numbers_come_back_bit_for_bit_in_another_process_of_the_same_settings(tmp_path: Path) -> None:
    numbers = {"model/mse": np.random.default_rng(0).random((4, 24)), "moved_pixels": np.arange(4)}
    Ledger(tmp_path, SETTINGS)[3] = numbers
    again = Ledger(tmp_path, SETTINGS)
    assert 3 in again and 2 not in again
    for name, values in again[3].items():
        assert values.dtype == numbers[name].dtype and np.array_equal(values, numbers[name])


def test_other_settings_are_rejected_by_their_names(tmp_path: Path) -> None:
    Ledger(tmp_path, SETTINGS)
    other = {"checkpoint": {"name": "b"}, "settings": {"stride": 5, "horizons": (8, 24)}}
    with pytest.raises(BadConfig, match=r"checkpoint.name b in place of a, settings.horizons \[8, 24\]"):
        Ledger(tmp_path, other)
    Ledger(tmp_path, SETTINGS)


def test_a_batch_that_cannot_be_written_leaves_no_file(tmp_path: Path) -> None:
    class Broken:
        def __array__(self, *_: object, **__: object) -> np.ndarray:
            raise OSError("no space left")

    ledger = Ledger(tmp_path, SETTINGS)
    with pytest.raises(OSError, match="no space"):
        ledger[0] = {"good": np.zeros(9), "bad": Broken()}  # type: ignore[dict-item]
    assert 0 not in ledger and not list(tmp_path.glob("*.partial"))


def test_a_cut_file_is_rejected_by_its_path(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path, SETTINGS)
    ledger[0] = {"model/mse": np.zeros((4, 24))}
    path = tmp_path / "000000.npz"
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(BadBag, match=r"000000\.npz"):
        ledger[0]


@pytest.mark.parametrize("text", ["", '{"checkpoint": {"na', "[]"])
def test_settings_that_were_cut_are_rejected_by_their_path_and_kept(tmp_path: Path, text: str) -> None:
    Ledger(tmp_path, SETTINGS)
    path = tmp_path / "settings.json"
    path.write_text(text)
    with pytest.raises(BadBag, match=r"settings\.json: expected a JSON object.*begin anew"):
        Ledger(tmp_path, SETTINGS)
    assert path.read_text() == text
