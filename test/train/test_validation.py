"""The validation losses of a world model: which are logged, and that each is what its name says."""

import pytest
import torch
from st_models import NOW, clip, model

from hwm_core.data.batches import TokenBatch
from hwm_core.models.st_transformer import STTransformer
from hwm_core.train.validation import evaluate_model

CONDITIONS = ("future", "future_shuffled", "future_none")
LOSSES = ("loss", "accuracy", "teacher_forced_loss", "teacher_forced_accuracy")


def actions_of(condition: str, own: torch.Tensor) -> torch.Tensor | None:
    """The actions of a condition. Shuffled: the motion of the window half a batch away, from the window's own state."""
    if condition == "future_none":
        return None
    if condition == "future":
        return own
    shuffled = own.clone()
    for window in range(len(own)):
        donor = own[window - max(1, len(own) // 2)]
        shuffled[window, NOW:] = own[window, NOW - 1] + (donor[NOW:] - donor[NOW - 1])
    return shuffled


@pytest.fixture(scope="module")
def net() -> STTransformer:
    return model(depth=1, action_dropout=0.5)


@torch.no_grad()
def test_both_losses_of_an_st_transformer_are_logged_with_its_own_shuffled_and_no_actions(net) -> None:
    codes, own = clip(net, batch=4)
    found = evaluate_model(net, None, [TokenBatch(codes, own)], seed=3)
    assert set(found) == {"loss", "accuracy", *(f"{one}_{key}" for one in CONDITIONS for key in LOSSES)}
    for condition in CONDITIONS:
        expected = net.future_loss(codes, actions_of(condition, own), torch.Generator())
        for key in LOSSES:
            assert found[f"{condition}_{key}"] == pytest.approx(expected[key].item(), rel=1e-6), (condition, key)
    assert len({found[f"{one}_{key}"] for one in CONDITIONS for key in LOSSES if "loss" in key}) == 6, "all differ"


@torch.no_grad()
def test_the_losses_of_several_batches_are_means_over_windows_and_the_training_loss_continues_one_stream(net) -> None:
    codes, own = clip(net, batch=4)
    batches = [TokenBatch(codes[:3], own[:3]), TokenBatch(codes[3:], own[3:])]
    found = evaluate_model(net, None, batches, seed=3)
    generator = torch.Generator().manual_seed(3)
    losses = [net.loss(one.tokens, one.actions, generator)[0].item() for one in batches]
    assert found["loss"] == pytest.approx((3 * losses[0] + losses[1]) / 4, rel=1e-6)
    for key in LOSSES:
        one, other = (net.future_loss(part.tokens, part.actions, torch.Generator())[key].item() for part in batches)
        assert found[f"future_{key}"] == pytest.approx((3 * one + other) / 4, rel=1e-6)
    assert evaluate_model(net, None, batches, seed=3) == found, "the noise is the same every time"
