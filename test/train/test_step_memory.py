"""The memory of a training step and of scoring, by accounting: no weight has a value."""

import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from hwm_core.accounting.gpu_kernels import backward, fake_gpu
from hwm_core.errors import BadConfig
from hwm_core.train.recipe import read_recipe
from hwm_core.train.step_memory import StepMemory, step_memory
from hwm_core.world_model.scoring_memory import scoring_memory

DOCS = " ".join((Path(__file__).parents[2] / "docs" / "training.md").read_text().split())
TOLERANCE = 0.003  # of numbers that are extrapolated from shallow models


@cache
def at_full_depth(preset: str, gpus: int = 1, *changes: str) -> StepMemory:
    """Blocks are equal, so every number is linear in the depth: two shallow models give that of the deep one."""
    depth = read_recipe(preset).model["depth"]
    shallow = 2 if preset != "flow" else 3  # the last block of flow differs
    one, two = (
        step_memory(read_recipe(preset, [f"model.depth={n}", *changes]), gpus=gpus) for n in (shallow, shallow + 1)
    )
    numbers = {key: first + (depth - shallow) * (vars(two)[key] - first) for key, first in vars(one).items()}
    return StepMemory(**numbers)


def in_gb(size: int, digits: int) -> Any:
    """A documented number of bytes, in GB."""
    return pytest.approx(size / 1e9, rel=TOLERANCE, abs=0.5 * 10**-digits)


@pytest.mark.parametrize(("preset", "gpus"), [("masked", 1), ("flow", 2), ("st", 1)])
def test_the_presets_train_their_batch_within_48_gb_and_the_docs_state_every_part(preset: str, gpus: int) -> None:
    memory, train = at_full_depth(preset, gpus), read_recipe(preset).train
    gb = r"([\d.]+) GB"
    row = re.search(rf"\| `{preset}` \| (\d+) \| (\d+) \| (\d+) x (\d+) \| {gb} \| {gb} \| {gb} \|", DOCS)
    assert row is not None
    micro = train.batch_size // (gpus * train.accumulation)
    assert [int(row[n]) for n in range(1, 5)] == [train.batch_size, gpus, train.accumulation, micro]
    assert float(row[5]) == in_gb(memory.total - memory.activations, digits=2)
    assert float(row[6]) == in_gb(memory.activations, digits=2)
    assert float(row[7]) == in_gb(memory.total, digits=1)
    assert memory.total < (48 - 4) * 1e9  # CUDA context, and what the allocator keeps in reserve


def test_micro_batches_and_recomputed_blocks_need_less_memory_and_the_docs_state_how_much() -> None:
    whole = at_full_depth("masked", 1, "train.accumulation=1")
    recomputed = at_full_depth("masked", 1, "train.accumulation=1", "train.activation_checkpointing=true")
    assert recomputed.activations < at_full_depth("masked").activations < 0.7 * whole.activations
    gb = r"([\d.]+) GB"
    option = r"`train\.activation_checkpointing=true`"
    stated = re.search(rf"`masked` in one micro-batch needs {gb}, and {gb} with {option}\.", DOCS)
    assert stated is not None
    assert [float(number) for number in stated.groups()] == [in_gb(one.total, 1) for one in (whole, recomputed)]


def test_64_candidates_of_the_papers_masked_base_are_scored_within_24_gb_and_the_docs_state_the_peak() -> None:
    recipe = read_recipe("masked")
    scoring = scoring_memory(recipe.family, recipe.model, 64)
    stated = f"Scoring 64 candidates with `masked` takes {scoring.total / 1e9:.1f} GB, {scoring.at_once} at once: "
    assert scoring.total < 24e9
    assert f"{stated}the dynamics roll out as many candidates at once as fit into 2 GB." in DOCS


def test_a_batch_that_the_gpus_cannot_share_is_an_error_with_the_remedy() -> None:
    with pytest.raises(BadConfig, match=r"multiple of 6.*got 16.*accumulation"):
        step_memory(read_recipe("masked"), 16, gpus=3)


def test_the_peak_is_that_of_a_hand_count() -> None:
    with fake_gpu(torch.bfloat16) as memory:
        layers = nn.Sequential(nn.Linear(1024, 4096, bias=False), nn.GELU(), nn.Linear(4096, 1024, bias=False))
        x = torch.empty(2048, 1024, requires_grad=True)
        loss = layers(x).float().sum()
        # Float32: two weights of 4 Mi and the input of 2 Mi numbers. In bfloat16: both weights, the input, and before
        # and after GELU 8 Mi numbers each. The output is gone: a sum keeps nothing of it.
        held = 4 * (2 * 4 + 2) + 2 * (2 * 4 + 2 + 2 * 8)
        assert memory.now / 2**20 == pytest.approx(held, abs=0.1)
        backward(loss)
        assert layers[0].weight.grad is not None
