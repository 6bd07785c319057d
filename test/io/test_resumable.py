"""What a run of a challenge's track has done so far, on disk."""

import pytest

from hwm_core.errors import BadBag, BadConfig
from hwm_core.io.resumable import Unfinished

SETTINGS = {"seed": 0, "sizes": (1, 5), "data": "abc"}


@pytest.fixture
def begun(tmp_path):
    work = Unfinished(tmp_path / "out", SETTINGS)
    work.begin()
    work.write("0.json", {"mse": 0.5})
    return work


def test_work_goes_on_with_the_same_settings_and_is_rejected_others_by_their_names(begun, tmp_path):
    assert Unfinished(tmp_path / "out", SETTINGS).read("0.json") == {"mse": 0.5}
    with pytest.raises(BadConfig, match="expected the seed, sizes it was begun with"):
        Unfinished(tmp_path / "out", {**SETTINGS, "seed": 1, "sizes": (1,)})
    with pytest.raises(BadConfig, match="expected the batch it was begun with"):
        Unfinished(tmp_path / "out", {**SETTINGS, "batch": 1})


@pytest.mark.parametrize("text", ["", '{"seed": 0, "si', "[]"])
def test_a_file_that_was_cut_is_rejected_by_its_path(begun, tmp_path, text):
    begun.path("0.json").write_text(text)
    with pytest.raises(BadBag, match=r"0\.json: expected a JSON object.*Remove it"):
        begun.read("0.json")
    begun.path("settings.json").write_text(text)
    with pytest.raises(BadBag, match=r"settings\.json: expected a JSON object.*begin again"):
        Unfinished(tmp_path / "out", SETTINGS)
