import json

import numpy as np
import pytest
from toy_store import ROBOT, write_toy_store

from benchmarks.codebooks import comparison as codebooks
from benchmarks.codebooks.table import report
from hwm_core.errors import BadConfig
from hwm_core.world_model.checkpoint import load_tokenizer

TOY = ["tokenizer.width=16", "tokenizer.encoder_blocks=1", "tokenizer.decoder_blocks=1", "train_tokenizer.batch_size=2"]
TOY += ["model.dim=24", "model.depth=1", "model.num_heads=2", "train.batch_size=2", "data.validation_windows=2"]


def made_up(folder, levels: list[int], predicted: float, rebuilt: float, steps: int = 6, copied: float = 15.0) -> None:
    """A result of 5 episodes; another's motion costs 1 dB."""
    rows = {row: np.full((5, 3), predicted).tolist() for row in ("mean_future", "single", "mean_of_4")}
    rows |= {f"{row}/shuffled": np.full((5, 3), predicted - 1).tolist() for row in tuple(rows)}
    rows |= {"copy_last": np.full((5, 3), copied).tolist(), "tokenizer": np.full((5, 3), rebuilt).tolist()}
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


def test_the_size_is_best_whose_prediction_is_best_not_the_one_that_rebuilds_best(tmp_path) -> None:
    made_up(tmp_path, [8, 8, 8], predicted=20.0, rebuilt=30.0)
    made_up(tmp_path, [4, 4], predicted=21.5, rebuilt=25.0)
    few, many = report(tmp_path).splitlines()[-2:]
    assert few.startswith("| 16 | 4x4 | 25.00") and few.endswith("| best |")
    assert many.startswith("| 512 | 8x8x8 | 30.00") and many.endswith("| +1.50 (+1.50 to +1.50) |")


@pytest.mark.parametrize(("unlike", "named"), [({"steps": 7}, "steps"), ({"copied": 15.5}, "psnr_db")])
def test_runs_of_other_budgets_or_windows_are_not_put_in_one_table(tmp_path, unlike: dict, named: str) -> None:
    made_up(tmp_path, [8, 8, 8], predicted=20.0, rebuilt=30.0)
    made_up(tmp_path, [4, 4], predicted=21.5, rebuilt=25.0, **unlike)
    with pytest.raises(BadConfig, match=f"16 codes and of 512 codes.*{named}"):
        report(tmp_path)


def test_a_size_is_trained_judged_and_not_done_twice(tmp_path, capsys) -> None:
    store = write_toy_store(tmp_path / "store", held_out=2)
    runs, results = tmp_path / "runs", tmp_path / "results"
    command = ["--results", str(results), "run", "256", "--data", str(store), "--out", str(runs)]
    command += ["--tokenizer-steps", "2", "--steps", "3", "--set", *TOY]
    assert codebooks.main(command) == 0
    result = json.loads((results / f"{ROBOT}_256.json").read_text())
    assert result["levels"] == [8, 6, 5] and result["steps"] == 3 and result["n"]["windows"] == 2
    assert load_tokenizer(runs / f"{ROBOT}_256" / "model" / "checkpoint").levels == (8, 6, 5)
    assert "| 240 | 8x6x5 |" in report(results)

    capsys.readouterr()
    assert codebooks.main(command) == 0
    assert "is there already" in capsys.readouterr().out


def test_before_the_first_run_the_table_says_so(tmp_path) -> None:
    assert report(tmp_path) == "Not measured yet."
