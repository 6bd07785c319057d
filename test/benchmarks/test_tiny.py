"""The comparison of tiny masked and flow models, at toy size."""

import json
from pathlib import Path

import numpy as np
import pytest
from toy_store import episodes, write_toy_store
from untrained import CONTINUOUS, TOKENIZER

from benchmarks.tiny import comparison
from benchmarks.tiny.equal_size import overrides, parameters
from benchmarks.tiny.runs import FAMILIES, THROUGHPUT, VARIANTS, missing, read_runs
from benchmarks.tiny.table import report
from benchmarks.tiny.throughput import Throughput, read_throughput
from hwm_core.errors import BadConfig
from hwm_core.tokenizers import build_tokenizer
from hwm_core.world_model.checkpoint import save_tokenizer

TOY = ["model.dim=24", "model.depth=1", "model.num_heads=2"]


def write_result(folder: Path, family: str, variant: str, seed: int, level: float, **changes: object) -> None:
    """Write a result of 5 episodes: every prediction has `level` dB, and 1 dB less with shuffled actions."""
    predictions = ("mean_prediction", "single", "mean_of_4")
    episodes = np.array([[0.2], [0.1], [0.0], [-0.1], [-0.2]]) + np.zeros(3)
    rows = {name: (level + episodes).tolist() for name in predictions}
    rows |= {f"{name}/shuffled": (level - 1 + episodes).tolist() for name in predictions}
    rows |= {"copy_last": (15 + episodes).tolist(), "tokenizer": (30 + episodes).tolist()}
    result = {
        "command": "none",
        "date": "2000-01-01",
        "machine": {"cpu": "one", "torch": "2"},
        "n": {"episodes": 5, "windows": 5, "samples_per_mean": 4},
        "family": family,
        "variant": variant,
        "seed": seed,
        "steps": 10,
        "parameters": 4_000_000,
        "horizons": [8, 16, 24],
        "psnr_db": rows,
        **changes,
    }
    folder.mkdir(exist_ok=True)
    (folder / f"{family}_{variant}_{seed}.json").write_text(json.dumps(result))


def write_first_seeds(folder: Path, masked: float, flow: float) -> None:
    """Write results of all eight models; `split` is 1 dB better than the other variants of its family."""
    for family, level in (("masked", masked), ("flow", flow)):
        for variant in VARIANTS:
            write_result(folder, family, variant, 0, level + (variant == "split"))


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_flow_model_has_the_parameter_count_of_the_masked_model_within_one_percent(variant):
    counts = {family: parameters(family, overrides(family, variant, (64, 64), 16), (64, 64), 16) for family in FAMILIES}
    assert counts["flow"] == pytest.approx(counts["masked"], rel=0.01)


def test_the_four_variants_differ_in_size():
    masked = {parameters("masked", overrides("masked", variant, (64, 64), 16), (64, 64), 16) for variant in VARIANTS}
    assert len(masked) == 4  # with 4 unshared blocks, as in the paper, three of the variants would be the same model


@pytest.mark.parametrize(("masked", "flow", "verdict"), [(20, 19, "confirmed"), (19, 20, "refuted")])
def test_a_claim_is_confirmed_or_refuted_if_the_whole_interval_is_on_one_side(tmp_path, masked, flow, verdict):
    write_first_seeds(tmp_path, masked, flow)
    claim, sharing = report(tmp_path).split("**Claim: ")[1:]
    assert f"| single sample | 16 | {masked - flow:+.2f}" in claim and claim.count(f"| {verdict} |") == 9
    each = f"{masked - flow:+.2f} ({masked - flow:+.2f} to {masked - flow:+.2f})"
    assert f"Masked minus flow for each variant, of equal size: `base` {each}, `split` {each}," in claim
    assert "| flow | `split` | 0% | -1.00 (-1.00 to -1.00) | confirmed |" in sharing


def test_a_claim_is_undecided_if_two_seeds_disagree(tmp_path):
    write_first_seeds(tmp_path, 20, 19)
    write_result(tmp_path, "masked", "split", 1, 17)
    write_result(tmp_path, "flow", "split", 1, 20)
    assert report(tmp_path).count("undecided: seeds differ") == 9


def test_the_best_variant_of_a_family_needs_more_seeds_once_all_four_variants_have_run(tmp_path):
    assert len(missing([])) == 8
    write_first_seeds(tmp_path, 20, 19)
    write_result(tmp_path, "flow", "split", 1, 20)
    assert missing(read_runs(tmp_path)) == [("masked", "split", 1), ("masked", "split", 2), ("flow", "split", 2)]
    assert report(tmp_path).endswith("Still to run: masked split --seed 1; masked split --seed 2; flow split --seed 2.")


def test_results_of_different_windows_are_rejected(tmp_path):
    write_result(tmp_path, "masked", "split", 0, 20)
    write_result(tmp_path, "masked", "base", 0, 20, n={"episodes": 4, "windows": 3, "samples_per_mean": 4})
    with pytest.raises(BadConfig, match="expected results of the same held-out windows"):
        report(tmp_path)


def test_a_truncated_result_is_rejected_with_its_path(tmp_path):
    (tmp_path / "masked_split_0.json").write_text('{"family": "masked"')
    with pytest.raises(BadConfig, match=r"masked_split_0\.json: expected a result of this benchmark"):
        read_runs(tmp_path)


@pytest.fixture
def store(tmp_path):
    """A toy episode store, and beside it a tokenizer for each family in the folders `masked` and `flow`."""
    save_tokenizer(tmp_path / "masked", build_tokenizer(TOKENIZER))
    save_tokenizer(tmp_path / "flow", build_tokenizer(CONTINUOUS))
    return write_toy_store(tmp_path / "store")


SETTINGS = ["--set", *TOY, "train.batch_size=2", "data.validation_windows=2"]


def measured_throughput(store: Path, minutes: float) -> Throughput:
    """Run the command for one round."""
    folder = store.parent
    command = ["--results", str(folder / "results"), "throughput", "--minutes", str(minutes), "--rounds", "1"]
    command += ["--data", str(store), "--masked-tokenizer", str(folder / "masked")]
    command += ["--flow-tokenizer", str(folder / "flow"), *SETTINGS]
    assert comparison.main(command) == 0
    measured = read_throughput(folder / "results" / THROUGHPUT)
    assert measured is not None
    return measured


def test_the_throughput_gives_the_training_steps_of_each_model_in_the_same_time(store, tmp_path):
    measured = measured_throughput(store, 0.5)
    for family in FAMILIES:
        for variant in VARIANTS:
            each = measured.document["seconds_per_step"][family][variant]
            assert measured.steps(family, variant) == round(30 / each) > 0
            assert measured.predictions_per_second(family, variant)["single"]["latents"] > 0
    printed = report(tmp_path / "results")
    assert printed.startswith("No run has finished yet.") and "Training steps in 0.5 minutes" in printed


def test_a_run_without_a_measured_throughput_is_rejected(store, tmp_path, capsys):
    command = ["--results", str(tmp_path / "results"), "run", "flow", "split", "--data", str(store)]
    with pytest.raises(SystemExit):
        comparison.main([*command, "--tokenizer", str(tmp_path / "flow"), "--out", str(tmp_path / "runs")])
    assert "python -m benchmarks.tiny.comparison throughput" in capsys.readouterr().err


def test_zero_rounds_are_rejected(store, tmp_path, capsys):
    tokenizers = ["--masked-tokenizer", str(tmp_path / "masked"), "--flow-tokenizer", str(tmp_path / "flow")]
    with pytest.raises(SystemExit):
        comparison.main(["throughput", "--data", str(store), *tokenizers, "--rounds", "0"])
    assert "rounds: expected 1 or more, got 0" in capsys.readouterr().err


def test_a_truncated_throughput_file_is_rejected_with_its_path(tmp_path):
    (tmp_path / THROUGHPUT).write_text('{"minutes": 26}')
    with pytest.raises(BadConfig, match=r"throughput\.json: expected the throughput of all eight models"):
        read_throughput(tmp_path / THROUGHPUT)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_run_trains_for_its_budget_is_evaluated_and_is_not_repeated(store, tmp_path, monkeypatch, capsys, family):
    steps = measured_throughput(store, 0.005).steps(family, "split")
    monkeypatch.setattr(comparison, "held_out", lambda seeds, _: (episodes()[: len(seeds)], {}))
    command = ["--results", str(tmp_path / "results"), "run", family, "split", "--data", str(store)]
    command += ["--tokenizer", str(tmp_path / family), "--out", str(tmp_path / "runs"), "--episodes", "3", *SETTINGS]
    assert comparison.main(command) == 0
    (run,) = read_runs(tmp_path / "results")
    assert (run.family, run.variant, run.seed) == (family, "split", 0)
    assert run.document["steps"] == steps and run.document["n"]["windows"] == 3
    assert np.isfinite(run.by_episode("mean_of_4/shuffled", 24)).all()
    assert str(tmp_path) not in run.document["command"]
    assert f"| {family} | `split` | 0 |" in report(tmp_path / "results")

    capsys.readouterr()
    assert comparison.main(command) == 0
    assert "exists; remove it" in capsys.readouterr().out
