"""The published figures of the tiny Wan run are those of its result file."""

import json
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_documentation_states_the_measured_gains_with_their_intervals_and_the_first_is_clear_of_0() -> None:
    measured = json.loads((ROOT / "benchmarks/results/wan.json").read_text())
    text = (ROOT / "docs/models.md").read_text()
    assert measured["command"].startswith("python -m benchmarks.wan")
    gains = [of["gain_over"][other] for of in measured["psnr_db"].values() for other in ("shuffled", "none")]
    for gain in [*gains, measured["controllability_db"]["shuffled"]["mean"]]:
        low, high = (f"{gain[end]:+.3f}" for end in ("low", "high"))
        assert f"({low} to {high})" in text
    assert measured["controllability_db"]["shuffled"]["mean"]["low"] > 0
    curve = measured["states"]["validation/future_loss"]
    assert curve[-1][1] < measured["states"]["validation/future_shuffled_loss"][-1][1]
