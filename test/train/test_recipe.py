"""Presets and recipes: their values, their rules, and the geometry of the model they give."""

import pytest
import yaml

from hwm_core.data.robot.embodiment import read_embodiment
from hwm_core.data.tokens.onex_joints import EVE_STATES
from hwm_core.errors import BadConfig
from hwm_core.tokenizers.patch import PatchTokenizer, PatchTokenizerConfig
from hwm_core.train.config import TrainingConfig
from hwm_core.train.recipe import preset_names, read_recipe, write_recipe
from hwm_core.world_model.registry import build_model


@pytest.mark.parametrize("preset", preset_names())
def test_every_preset_is_valid_and_equal_after_writing_and_reading(preset, tmp_path):
    recipe = read_recipe(preset)
    write_recipe(tmp_path / "recipe.yaml", recipe)
    assert read_recipe(str(tmp_path / "recipe.yaml")) == recipe


def test_an_unknown_preset_is_rejected_with_the_known_presets():
    with pytest.raises(BadConfig, match=r"flow, flow_tiny, g1, masked, plan, st, tiny, wan, or a .yaml file"):
        read_recipe("tyni")


def test_training_without_a_budget_is_rejected():
    with pytest.raises(BadConfig, match="budget"):
        TrainingConfig.parse({"batch_size": 4})


def test_a_batch_size_that_accumulation_does_not_divide_is_rejected():
    with pytest.raises(BadConfig, match="`accumulation` divides"):
        TrainingConfig.parse({"steps": 1, "batch_size": 4, "accumulation": 3})


def test_tokenizer_and_data_decide_the_geometry_of_the_model():
    tokenizer = PatchTokenizer(PatchTokenizerConfig(temporal_factor=2, spatial_factor=8, colours=2))
    config = read_recipe("tiny").model_config_for(tokenizer, frame_size=(64, 48), action_dim=16)
    assert (config.levels, config.grid, config.temporal_factor, config.action_dim) == ((2,) * 6, (8, 6), 2, 16)


@pytest.mark.parametrize("preset", ["masked", "flow", "st"])
def test_a_preset_for_another_frame_size_is_rejected_with_both_sizes(preset):
    recipe = read_recipe(preset)
    factor = recipe.tokenizer.spatial_factor
    message = rf"store: expected frames of 256x256 px.*got frames of 64x64 px.*--size 256.*model.grid=\[{64 // factor},"
    with pytest.raises(BadConfig, match=message):
        recipe.require_frame_size((64, 64), factor, "store")
    recipe.require_frame_size((256, 256), factor, "store")


def test_a_model_that_contradicts_its_data_is_rejected():
    tokenizer = PatchTokenizer(PatchTokenizerConfig())
    with pytest.raises(BadConfig, match="key `action_dim`: expected 16, the value of tokenizer and data, got 25"):
        read_recipe("tiny", ["model.action_dim=25"]).model_config_for(tokenizer, frame_size=(64, 64), action_dim=16)


def test_the_masked_preset_has_the_values_of_the_paper():
    recipe = read_recipe("masked")
    model, train = recipe.model, recipe.train
    assert (model["dim"], model["depth"], model["num_heads"], model["dropout"], model["max_corruption_rate"]) == (
        512,
        24,
        8,
        0.4,
        0.2,
    )
    assert (train.betas, train.learning_rate, train.schedule, train.warmup_steps) == ((0.9, 0.95), 3e-5, "linear", 100)
    assert (train.steps, train.batch_size, train.clip_norm) == (60000, 16, 1.0)
    assert recipe.tokenizer.levels == (8, 8, 8, 5, 5, 5) and recipe.tokenizer.spatial_factor == 8


@pytest.mark.parametrize("preset", ["masked", "flow", "st", "wan"])
def test_the_presets_of_the_papers_have_no_augmentation(preset):
    assert not any(read_recipe(preset).data.augmentation.plain().values())


def test_the_flow_preset_has_the_values_of_the_paper():
    recipe = read_recipe("flow")
    model, train = recipe.model, recipe.train
    assert (model["dim"], model["depth"], model["num_heads"], model["condition_dropout"]) == (1152, 15, 16, 0.15)
    assert (train.betas, train.learning_rate, train.schedule, train.warmup_steps) == ((0.9, 0.99), 1e-4, "cosine", 0)
    assert (train.steps, train.batch_size, train.weight_decay) == (150000, 128, 0.01)
    assert recipe.tokenizer.latent_channels == 16 and recipe.tokenizer.spatial_factor == 16


def test_the_st_preset_has_the_values_of_the_report():
    recipe = read_recipe("st")
    model, train = recipe.model, recipe.train
    assert (model["dim"], model["depth"], model["num_heads"], model["dropout"]) == (512, 24, 8, 0.1)
    assert recipe.num_latents - 1 == 5 and model["vocabulary"] == "flat"
    assert (train.betas, train.learning_rate, train.schedule, train.warmup_steps) == ((0.9, 0.95), 8e-4, "linear", 2000)
    assert (train.epochs, train.batch_size, train.weight_decay, train.decayed) == (80, 160, 0.05, "matrices")
    assert train.steps is None and train.precision == "auto"


def test_the_wan_preset_has_the_values_of_the_report_and_leaves_the_closures_of_eve_plain():
    recipe = read_recipe("wan")
    model, train = recipe.model, recipe.train
    assert (model["lora_rank"], model["state_dim"], model["base_dtype"]) == (32, 256, "bfloat16")
    assert (model["num_past_latents"], model["num_future_latents"], model["temporal_factor"]) == (2, 4, 4)
    assert (train.steps, train.batch_size, train.clip_norm) == (23000, 1024, 1.0)
    assert (train.learning_rate, train.schedule, train.warmup_steps) == (4e-4, "constant", 0)
    assert train.activation_checkpointing and recipe.data.actions == "states"
    closures = read_embodiment("1x_eve").closures
    assert len(closures) == 2 and [EVE_STATES[index] for index in model["plain_states"]] == list(closures)


def test_a_tokenizer_of_another_family_is_rejected():
    with pytest.raises(BadConfig, match="expected continuous codes"):
        read_recipe("flow").model_config_for(PatchTokenizer(PatchTokenizerConfig()), (256, 256), 25)


def test_yaml_numbers_with_exponents_are_numbers():
    # YAML 1.1 reads 3e-5 as a string; a preset must not depend on how a number is written.
    assert TrainingConfig.parse({"steps": 1, **yaml.safe_load("learning_rate: 3e-5")}).learning_rate == 3e-5


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            ["train.batch_size=5", "train.accumulation=2"],
            "tiny: train: expected a `batch_size` that `accumulation` divides, got batch_size 5, accumulation 2",
        ),
        (["model.dim=30", "model.num_heads=5"], "to be a multiple of 4.* got dim 30, num_heads 5"),
        (["model.dim=31"], "to be a multiple of 4.* got dim 31, num_heads 3"),
    ],
)
def test_values_that_contradict_each_other_are_rejected_with_their_keys(change, sentence):
    with pytest.raises(BadConfig, match=sentence):
        read_recipe("tiny", change)


def test_a_patch_that_does_not_cover_the_grid_is_rejected():
    with pytest.raises(
        BadConfig, match=r"expected `grid` to be a multiple of `patch` on both sides, got grid \[16, 16\]"
    ):
        build_model("masked", {"grid": [16, 16], "patch": 3})


def test_a_value_that_is_almost_a_known_one_is_rejected_with_it():
    with pytest.raises(
        BadConfig, match=r"key `data.actions`: expected 'states' or 'commands', got 'sates'. Did you mean"
    ):
        read_recipe("tiny", ["data.actions=sates"])
