"""Strict configuration, on the recipe of a preset: unknown keys, values, overrides, unreadable files."""

import pytest

from hwm_core.errors import BadConfig, nearest_path
from hwm_core.train.recipe import read_recipe


@pytest.mark.parametrize(
    ("override", "hint"),
    [
        ("train.batchsize=4", "Did you mean `batch_size`"),
        ("tokeniser.width=32", "Did you mean `tokenizer`"),
        ("tokenizer.wdith=32", "unknown key `tokenizer.wdith`.*Did you mean `width`"),
        ("model.nun_heads=2", "Did you mean `num_heads`"),
        ("data.strides=2", "Did you mean `stride`"),
    ],
)
def test_an_unknown_key_is_rejected_with_the_nearest_known_one(override, hint):
    with pytest.raises(BadConfig, match=hint):
        read_recipe("tiny", [override])


@pytest.mark.parametrize(
    "override", ["train.steps=0", "train.learning_rate=fast", "train.precision=int8", "data.actions=torques"]
)
def test_a_value_out_of_range_is_rejected_with_its_key(override):
    with pytest.raises(BadConfig, match=override.split("=")[0]):
        read_recipe("tiny", [override])


def test_an_override_is_yaml_and_changes_its_section():
    recipe = read_recipe(
        "tiny", ["train.steps=7", "train.betas=[0.8, 0.9]", "tokenizer.width=32", "train.max_minutes=null"]
    )
    assert (recipe.train.steps, recipe.train.betas, recipe.train.max_minutes) == (7, (0.8, 0.9), None)
    assert recipe.tokenizer.width == 32


@pytest.mark.parametrize("override", ["train.steps", "train.steps: 7", "train.betas=[0.8"])
def test_an_override_that_is_not_key_equals_yaml_is_rejected(override):
    with pytest.raises(BadConfig, match=r"expected section\.key=value"):
        read_recipe("tiny", [override])


def test_a_file_that_is_not_yaml_is_rejected(tmp_path):
    (tmp_path / "mine.yaml").write_text("train: [1, 2")
    with pytest.raises(BadConfig, match="valid YAML"):
        read_recipe(str(tmp_path / "mine.yaml"))


def test_a_file_that_is_not_text_is_rejected_with_its_name(tmp_path):
    (tmp_path / "recipe.yaml").write_bytes(b"\xff\xfe")
    with pytest.raises(BadConfig, match=r"recipe.yaml: expected text in UTF-8, got .* byte 0xff .* Save it as UTF-8"):
        read_recipe(str(tmp_path / "recipe.yaml"))


def test_a_list_instead_of_a_recipe_is_rejected_with_and_without_overrides(tmp_path):
    (tmp_path / "recipe.yaml").write_text("- train\n")
    for overrides in ([], ["train.steps=1"]):
        with pytest.raises(BadConfig, match=r"recipe.yaml: expected a mapping of keys to values, got list"):
            read_recipe(str(tmp_path / "recipe.yaml"), overrides)


def test_a_path_where_nothing_is_gets_its_nearest_neighbour(tmp_path):
    (tmp_path / "store").mkdir()
    assert nearest_path(tmp_path / "stoer", "Check it.") == f"Did you mean `{tmp_path / 'store'}`?"
    assert nearest_path(tmp_path / "recordings", "Check it.") == "Check it."
    assert nearest_path(tmp_path / "none" / "store", "Check it.") == "Check it."
    assert nearest_path(tmp_path / "store", "Check it.") == "Check it.", "it is there: something else is wrong"
