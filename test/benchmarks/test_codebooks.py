"""The comparison of codebook sizes, at toy size."""

import json

import numpy as np
import pytest
from toy_store import ROBOT, write_toy_store

from benchmarks.codebooks import comparison
from benchmarks.codebooks.table import report
from hwm_core.errors import BadConfig
from hwm_core.world_model.checkpoint import load_tokenizer

TOY = ["tokenizer.width=16", "tokenizer.encoder_blocks=1", "tokenizer.decoder_blocks=1", "train_tokenizer.batch_size=2"]
TOY += ["model.dim=24", "model.depth=1", "model.num_heads=2", "train.batch_size=2", "data.validation_windows=2"]


def write_result(
    folder, levels: list[int], predicted: float, reconstructed: float, steps: int = 6, copied: float = 15.0
) -> None:
    """Write a result of 5 episodes; every prediction has 1 dB less with shuffled actions."""
    rows = {condition: np.full((5, 3), predicted).tolist() for condition in ("mean_prediction", "single", "mean_of_4")}
    rows |= {f"{condition}/shuffled": np.full((5, 3), predicted - 1).tolist() for condition in tuple(rows)}
    rows |= {"copy_last": np.full((5, 3), copied).tolist(), "tokenizer": np.full((5, 3), reconstructed).tolist()}
    result = {
        "machine": {"cpu": "one"},
        "n": {"episodes": 5, "windows": 5},
        "robot": ROBOT,
        "levels": levels,
        "tokenizer_steps": 7,
        "steps": steps,
        "horizons": [8, 16, 24],
        "psnr_db": rows,
    }
    (folder / f"{ROBOT}_{np.prod(levels)}.json").write_text(json.dumps(result))


def test_the_best_size_has_the_best_prediction_not_the_best_reconstruction(tmp_path) -> None:
    write_result(tmp_path, [8, 8, 8], predicted=20.0, reconstructed=30.0)
    write_result(tmp_path, [4, 4], predicted=21.5, reconstructed=25.0)
    few, many = report(tmp_path).splitlines()[-2:]
    assert few.startswith("| 16 | 4x4 | 25.00") and few.endswith("| best |")
    assert many.startswith("| 512 | 8x8x8 | 30.00") and many.endswith("| +1.50 (+1.50 to +1.50) |")


@pytest.mark.parametrize(("difference", "reported"), [({"steps": 7}, "steps"), ({"copied": 15.5}, "psnr_db")])
def test_results_of_different_budgets_or_windows_are_rejected(tmp_path, difference: dict, reported: str) -> None:
    write_result(tmp_path, [8, 8, 8], predicted=20.0, reconstructed=30.0)
    write_result(tmp_path, [4, 4], predicted=21.5, reconstructed=25.0, **difference)
    with pytest.raises(BadConfig, match=f"16 codes and for 512 codes.*{reported}"):
        report(tmp_path)


def test_a_run_trains_and_evaluates_one_size_and_is_not_repeated(tmp_path, capsys) -> None:
    store = write_toy_store(tmp_path / "store", held_out=2)
    runs, results = tmp_path / "runs", tmp_path / "results"
    command = ["--results", str(results), "run", "256", "--data", str(store), "--out", str(runs)]
    command += ["--tokenizer-steps", "2", "--steps", "3", "--set", *TOY]
    assert comparison.main(command) == 0
    result = json.loads((results / f"{ROBOT}_256.json").read_text())
    assert result["levels"] == [8, 6, 5] and result["steps"] == 3 and result["n"]["windows"] == 2
    assert load_tokenizer(runs / f"{ROBOT}_256" / "model" / "checkpoint").levels == (8, 6, 5)
    assert "| 240 | 8x6x5 |" in report(results)

    capsys.readouterr()
    assert comparison.main(command) == 0
    assert "exists; remove it" in capsys.readouterr().out


def test_without_results_the_table_reports_that_nothing_is_measured(tmp_path) -> None:
    assert report(tmp_path) == "Not measured yet."
