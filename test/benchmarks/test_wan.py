"""The published figures of the tiny Wan run are those of its result file."""

import json
from pathlib import Path

ROOT = Path(__file__).parents[2]
MEASURED = json.loads((ROOT / "benchmarks/results/wan.json").read_text())
TEXT = " ".join((ROOT / "docs/models.md").read_text().split())


def with_interval(gain: dict[str, float]) -> str:
    mean, low, high = (f"{gain[key]:+.3f}" for key in ("mean", "low", "high"))
    return f"{mean} ({low} to {high})"


def test_the_documentation_states_every_row_of_the_measured_psnr() -> None:
    assert MEASURED["command"].startswith("python -m benchmarks.wan")
    for horizon, of in MEASURED["psnr_db"].items():
        gains = " | ".join(with_interval(of["gain_over"][other]) for other in ("shuffled", "none"))
        assert f"| {horizon} | {of['model']:.2f} | {gains} | {of['copy_last']:.2f} | {of['tokenizer']:.2f} |" in TEXT


def test_the_documentation_states_the_gains_over_all_horizons_and_both_are_clear_of_0() -> None:
    gains = [MEASURED["controllability_db"][other]["mean"] for other in ("shuffled", "none")]
    for gain, others in zip(gains, ("shuffled ones", "none"), strict=True):
        mean, interval = with_interval(gain).split(" ", 1)
        assert f"{mean} dB {interval} above {others}" in TEXT
        assert gain["low"] > 0


def test_the_losses_of_all_stages_fall_and_the_documentation_states_their_ends() -> None:
    curves = [*(MEASURED["stages"][name]["loss"] for name in ("vae", "base")), MEASURED["states"]["train/loss"]]
    ends = [(curve[0][1], curve[-1][1]) for curve in curves]
    assert all(last < first for first, last in ends)
    of_vae, of_base, of_states = ends
    assert (
        f"The losses fall: VAE {of_vae[0]:.3f} to {of_vae[1]:.3f}, video transformer {of_base[0]:.2f} to "
        f"{of_base[1]:.2f}, with states {of_states[0]:.2f} to {of_states[1]:.2f}"
    ) in TEXT


def test_the_true_states_have_the_lowest_validation_loss_and_the_documentation_states_all_three() -> None:
    true, none, shuffled = (
        MEASURED["states"][f"validation/future_{of}loss"][-1][1] for of in ("", "none_", "shuffled_")
    )
    assert true < none < shuffled
    assert f"is {true:.3f} with the true states, {none:.3f} without and {shuffled:.3f} with shuffled states" in TEXT
