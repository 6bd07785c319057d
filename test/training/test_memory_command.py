"""`hwm memory`: what it prints, and when it fails."""

import re

import pytest
from command import hwm

from hwm_core.train.step_memory import StepMemory
from hwm_core.world_model.scoring_memory import ScoringMemory
from training import memory

PARTS = {
    "Training step": ["weights", "gradients", "optimiser", "moving average", "activations", "peak"],
    "Scoring": ["weights", "past", "rollout", "peak"],
}


def printed(text: str) -> dict[str, dict[str, float]]:
    """{heading: {part: GB}}."""
    found: dict[str, dict[str, float]] = {}
    for line in text.splitlines():
        if part := re.fullmatch(r"  (\w[\w ]*?) +([\d.]+) GB", line):
            [*_, parts] = found.values()
            parts[part[1]] = float(part[2])
        else:
            found[next(heading for heading in PARTS if line.startswith(heading))] = {}
    return found


def test_the_parts_of_a_step_and_of_scoring_are_printed_with_their_sum(capsys: pytest.CaptureFixture) -> None:
    small = ("--batch", 4, "model.depth=1", "model.dim=64", "model.num_heads=2")
    assert hwm("memory", "--preset", "masked", *small, "--candidates", 4) == 0
    text = capsys.readouterr().out
    assert "masked, batch 4 on 1 GPU, 2 x 2 windows each, bfloat16" in text
    assert "Scoring 4 candidates, 4 at once" in text
    found = printed(text)
    assert {heading: list(parts) for heading, parts in found.items()} == PARTS
    for parts in found.values():
        peak = parts.pop("peak")
        assert peak > 0.05 and sum(parts.values()) == pytest.approx(peak, abs=0.005 * (len(parts) + 1))


def test_more_than_the_limit_is_an_error_with_both_numbers_and_a_remedy(monkeypatch, capsys) -> None:
    gb = 10**9
    monkeypatch.setattr(memory, "step_memory", lambda *_: StepMemory(1 * gb, 1 * gb, 2 * gb, 0, 3 * gb))
    monkeypatch.setattr(memory, "scoring_memory", lambda *_: ScoringMemory(2 * gb, 1 * gb, 6 * gb, at_once=3))
    command = ("memory", "--preset", "masked", "--candidates", 5, "--limit-gb")
    assert hwm(*command, 9) == 0
    assert hwm(*command, 8.5) == 2
    expected = "Memory of scoring: expected at most 8.5 GB, got 9.0 GB. Lower the memory of the dynamics"
    assert capsys.readouterr().err.startswith(expected)
    assert hwm(*command, 6.5) == 2
    expected = "Memory of the training step: expected at most 6.5 GB, got 7.0 GB. Raise train.accumulation or --gpus"
    assert capsys.readouterr().err.startswith(expected)


def test_a_family_with_pretrained_weights_is_rejected_with_the_place_of_its_arithmetic(capsys) -> None:
    assert hwm("memory", "--preset", "wan") == 2
    message = capsys.readouterr().err
    assert "expected a family that is trained from scratch, got `wan`" in message and "docs/models.md" in message
