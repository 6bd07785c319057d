"""The memory of a training step and of scoring, by accounting: no weight has a value."""

import re
from pathlib import Path

import pytest
import torch
from torch import nn

from hwm_core.accounting.gpu_kernels import backward, fake_gpu
from hwm_core.errors import BadConfig
from hwm_core.train.recipe import read_recipe
from hwm_core.train.step_memory import StepMemory, step_memory
from hwm_core.world_model.scoring_memory import scoring_memory

DOCS = (Path(__file__).parents[2] / "docs" / "training.md").read_text()


def at_full_depth(preset: str, gpus: int = 1) -> StepMemory:
    """Blocks are equal, so every number is linear in the depth: two shallow models give that of the deep one."""
    depth = read_recipe(preset).model["depth"]
    shallow = 2 if preset != "flow" else 3  # the last block of flow differs
    one, two = (step_memory(read_recipe(preset, [f"model.depth={n}"]), gpus=gpus) for n in (shallow, shallow + 1))
    numbers = {key: first + (depth - shallow) * (vars(two)[key] - first) for key, first in vars(one).items()}
    return StepMemory(**numbers)


@pytest.mark.parametrize(("preset", "gpus"), [("masked", 1), ("flow", 2), ("st", 1)])
def test_the_presets_train_their_batch_within_48_gb_and_the_docs_state_the_peak(preset: str, gpus: int) -> None:
    total = at_full_depth(preset, gpus).total / 1e9
    stated = re.search(rf"\| `{preset}` \| \d+ \| {gpus} \|.*\| ([\d.]+) GB \|", DOCS)
    assert stated is not None and total == pytest.approx(float(stated[1]), rel=0.01)
    assert total < 48 - 4  # CUDA context, and what the allocator keeps in reserve


def test_64_candidates_of_the_papers_masked_base_are_scored_within_24_gb_and_the_docs_state_the_peak() -> None:
    recipe = read_recipe("masked")
    scoring = scoring_memory(recipe.family, recipe.model, 64)
    assert scoring.total < 24e9 and f"{scoring.total / 1e9:.1f} GB" in DOCS


def test_micro_batches_and_recomputed_blocks_need_less_memory() -> None:
    def activations(*changes: str) -> int:
        return step_memory(read_recipe("masked", ["model.depth=3", "train.accumulation=1", *changes])).activations

    whole, halves = activations(), activations("train.accumulation=2")
    assert activations("train.activation_checkpointing=true") < halves < 0.7 * whole


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
