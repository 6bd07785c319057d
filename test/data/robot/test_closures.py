"""Hand closures: listed by the embodiment, and left as they are where a recipe says so."""

import numpy as np
import pytest
from small_training import SMALL, write_store

from hwm_core.data.robot import embodiment
from hwm_core.data.robot.embodiment import Embodiment, closures_of, read_embodiment
from hwm_core.data.robot.manifest import fit_manifest
from hwm_core.errors import BadConfig
from hwm_core.tokenizers import build_tokenizer
from hwm_core.train.recipe import read_recipe
from hwm_core.train.training_data import open_training_data

HANDS = ("left_hand_closure", "right_hand_closure")


def test_the_closures_of_eve_are_left_as_they_are_and_the_other_joints_are_normalised() -> None:
    names = read_embodiment("1x_eve").names
    values = np.random.default_rng(0).uniform(0, 1, (50, len(names)))
    manifest = fit_manifest("1x_eve", "states", names, ["rad"] * len(names), values)
    kept = manifest.as_recorded(closures_of("1x_eve")).normalise(values)
    hands = [names.index(name) for name in HANDS]
    assert closures_of("1x_eve") == HANDS and np.array_equal(kept[:, hands], values[:, hands])
    others = np.delete(np.arange(len(names)), hands)
    assert np.array_equal(kept[:, others], manifest.normalise(values)[:, others])
    assert closures_of("1x_eve+unitree_g1_inspire")[:2] == HANDS and closures_of("another") == ()


def test_closures_that_are_no_dimensions_are_an_error() -> None:
    with pytest.raises(BadConfig, match=r"closures.*thumb"):
        Embodiment.parse(
            {"robot": "a", "dimensions": [{"name": "hand", "unit": "unit"}], "closures": ["thumb"]}, where="a"
        )


def test_a_recipe_with_closures_as_recorded_trains_on_a_manifest_that_keeps_them(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(embodiment, "embodiment_names", lambda: ["robot"])
    of_robot = Embodiment.parse(
        {"robot": "robot", "dimensions": [{"name": "left_elbow", "unit": "rad"}], "closures": ["left_elbow"]},
        where="robot",
    )
    monkeypatch.setattr(embodiment, "read_embodiment", lambda name: of_robot)
    store = write_store(tmp_path / "store")

    def manifest(*changes: str):
        recipe = read_recipe("tiny", ["data.actions=states", *SMALL, *changes])
        return open_training_data(store, recipe, build_tokenizer(recipe.tokenizer)).manifest

    as_recorded, normalised = manifest("data.closures=as_recorded"), manifest()
    assert (as_recorded.mean[1], as_recorded.std[1]) == (0.0, 1.0) != (normalised.mean[1], normalised.std[1])
    assert as_recorded.mean[0] == normalised.mean[0] and read_recipe("masked").data.closures == "as_recorded"
