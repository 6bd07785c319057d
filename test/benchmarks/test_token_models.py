"""The comparison of an ST-Transformer with a masked model on tokens, at toy size."""

import json

import pytest
import torch
from command import hwm
from toy_store import ROBOT, write_toy_store

from benchmarks.token_models import comparison
from benchmarks.token_models.recipes import MODELS, recipe_of
from benchmarks.token_models.table import report
from hwm_core.data.tokens.tokenizer_spec import spec_of
from hwm_core.errors import BadConfig
from hwm_core.tokenizers import build_tokenizer
from hwm_core.world_model.registry import build_model

TOKENIZER = ["width=16", "encoder_blocks=1", "decoder_blocks=1", "levels=[8,5]"]
TOY = ["model.dim=24", "model.depth=1", "model.num_heads=2", "train.batch_size=2", "data.validation_windows=2"]
SPEC = spec_of(build_tokenizer({"kind": "causal", "temporal_factor": 8, "spatial_factor": 4, "width": 16}))


def test_both_models_have_the_same_number_of_parameters_within_one_percent() -> None:
    recipes = [recipe_of(family, SPEC, (64, 64), 26) for family in MODELS]
    with torch.device("meta"):
        models = [build_model(one.family, one.model_config_for(SPEC, (64, 64), 26).plain()) for one in recipes]
    masked, st = (sum(parameter.numel() for parameter in model.parameters()) for model in models)
    assert abs(st - masked) < 0.01 * masked
    assert recipes[0].train == recipes[1].train and recipes[0].data == recipes[1].data


def test_a_run_tokenises_trains_and_evaluates_and_is_not_repeated(tmp_path, capsys) -> None:
    store, tokenizer = write_toy_store(tmp_path / "store", held_out=2), tmp_path / "tokenizer"
    small = [f"tokenizer.{one}" for one in TOKENIZER] + [
        f"train_tokenizer.{one}" for one in ("steps=1", "batch_size=2")
    ]
    assert hwm("train-tokenizer", "--preset", "tiny", "--data", str(store), "--out", str(tokenizer), *small) == 0
    results = tmp_path / "results"
    command = ["--results", str(results), "run", "--data", str(store), "--tokenizer", str(tokenizer / "tokenizer")]
    command += ["--out", str(tmp_path / "runs"), "--actions", "commands", "--minutes", "0.001"]
    for family in MODELS:
        assert comparison.main([*command, family, "--set", *TOY]) == 0
    masked, st = (json.loads((results / f"{ROBOT}_{family}_0.json").read_text()) for family in MODELS)
    assert masked["n"] == st["n"] == {"episodes": 2, "samples": 2, "tokens_per_sample": 48}
    assert set(masked["scores"]) == {*st["scores"], "at_once"}
    # The first future grid follows the true past either way; the others read the model's own tokens.
    assert st["scores"]["greedy"][0]["ce"] != st["scores"]["teacher_forced"][0]["ce"]
    text = report(results)
    assert "| ST-Transformer | 0 |" in text and "mean of 1 seed," in text

    capsys.readouterr()
    assert comparison.main([*command, "masked", "--set", *TOY]) == 0
    assert "exists; remove it" in capsys.readouterr().out

    (results / f"{ROBOT}_masked_0.json").write_text(json.dumps({**masked, "minutes": 1.0}))
    with pytest.raises(BadConfig, match="different minutes"):
        report(results)


def test_without_results_the_table_reports_that_nothing_is_measured(tmp_path) -> None:
    assert report(tmp_path) == "Not measured yet."
