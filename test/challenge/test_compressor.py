"""The distributions over future codes, and what they depend on."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from grid_samples import TOY, V2, random_sample, token_checkpoint

from hwm_core.challenge.compressor import Compressor
from hwm_core.challenge.submission import ArchiveLayout, check_sample
from hwm_core.errors import BadCheckpoint
from hwm_core.sampling.config import Sampling
from hwm_core.world_model.checkpoint import Checkpoint
from hwm_core.world_model.registry import build_model

NO_ACTIONS = "teacher_forced_no_actions"
FAMILIES = pytest.mark.parametrize("family", ["masked", "st_transformer"])


def test_the_log_probabilities_are_the_log_softmax_of_the_model() -> None:
    one = token_checkpoint(**TOY)
    sample = random_sample(one)
    found = Compressor(one, top=20).predict([sample])
    tokens = torch.from_numpy(np.concatenate([sample.past, sample.truth]))[None]
    sites = one.model.to_sites(tokens).clone()
    sites[:, 3:] = one.model.vocabulary.mask_token
    with torch.no_grad():
        logits = one.model(sites, torch.from_numpy(one.manifest.normalise(sample.actions))[None])
    fives, fours = (part.log_softmax(-1) for part in logits.split([5, 4], dim=-1))
    all_codes = (fours[..., :, None] + fives[..., None, :]).flatten(-2)  # code = five + 5 * four
    expected = all_codes.sort(-1, descending=True)
    assert torch.allclose(found.log_probs, expected.values, atol=1e-4)
    assert torch.equal(found.codes[..., 0].long(), expected.indices[..., 0])
    assert torch.allclose(found.of_truth, all_codes.gather(-1, tokens[:, 3:, ..., None])[..., 0], atol=1e-4)


@FAMILIES
def test_models_with_patches_or_a_flat_vocabulary_rank_the_codes_of_each_token(family: str) -> None:
    for changes in ({"patch": 2}, {"vocabulary": "flat"}):
        one = token_checkpoint(family=family, **{**V2, "levels": [5, 4], "grid": [4, 4], **changes})
        found = Compressor(one, top=6).predict([random_sample(one)])
        assert found.codes.shape == (1, 3, 4, 4, 6)
        arrays = {"indices": found.codes[0].numpy(), "values": found.log_probs[0].numpy()}
        check_sample("sample", arrays, ArchiveLayout(3, 4, 4, 20, 6))


def test_sequential_grids_attend_to_earlier_samples_and_the_first_grid_equals_the_parallel_one() -> None:
    one = token_checkpoint(**TOY)
    sample = random_sample(one)
    parallel = Compressor(one, top=20).predict([sample])
    sequential = Compressor(one, top=20, sampling=Sampling(parallel=False)).predict([sample])
    assert torch.allclose(parallel.log_probs[:, 0], sequential.log_probs[:, 0], atol=1e-4)
    assert not torch.allclose(parallel.log_probs[:, 1], sequential.log_probs[:, 1], atol=1e-4)


@FAMILIES
def test_only_the_teacher_forced_conditions_use_the_true_tokens(family: str) -> None:
    one = token_checkpoint(family=family, **TOY)
    sample = random_sample(one)
    other = random_sample(one, seed=1)
    changed = type(sample)(sample.number, 0, sample.past, sample.actions, other.truth)
    compressor = Compressor(one, top=20)
    for condition, uses in (("model", False), ("none", False), ("teacher_forced", True), (NO_ACTIONS, True)):
        a, b = compressor.predict([sample], condition), compressor.predict([changed], condition)
        assert torch.equal(a.log_probs, b.log_probs) != uses, condition
    forced = compressor.predict([sample], "teacher_forced"), compressor.predict([changed], "teacher_forced")
    assert torch.equal(forced[0].log_probs[:, 0], forced[1].log_probs[:, 0]), "no grid attends to itself"


@FAMILIES
def test_conditions_without_actions_ignore_past_actions_too(family: str) -> None:
    one = token_checkpoint(family=family, **TOY)
    sample = random_sample(one)
    moved = replace(sample, actions=sample.actions + 1)
    compressor = Compressor(one, top=20)
    for condition, uses in (("model", True), ("teacher_forced", True), ("none", False), (NO_ACTIONS, False)):
        a, b = compressor.predict([sample], condition), compressor.predict([moved], condition)
        assert torch.equal(a.log_probs, b.log_probs) != uses, condition


@pytest.mark.parametrize("condition", ["model", "teacher_forced"])
def test_the_ranks_of_an_st_transformer_are_those_of_its_losses(condition: str) -> None:
    one = token_checkpoint(family="st_transformer", **TOY)
    sample = random_sample(one)
    found = Compressor(one, top=20).predict([sample], condition)
    codes = torch.from_numpy(np.concatenate([sample.past, sample.truth]))[None]
    actions = torch.from_numpy(one.manifest.normalise(sample.actions))[None]
    with torch.no_grad():
        losses = one.model.future_loss(codes, actions, torch.Generator())
    prefix = "" if condition == "model" else "teacher_forced_"
    torch.testing.assert_close(-found.of_truth.mean(), losses[f"{prefix}loss"], rtol=1e-4, atol=1e-4)
    likeliest = (found.codes[0, ..., 0].long() == codes[0, 3:]).float().mean()
    assert likeliest == losses[f"{prefix}accuracy"]


def test_a_flow_model_is_rejected() -> None:
    flow = build_model(
        "flow", {"dim": 24, "depth": 1, "num_heads": 2, "latent_channels": 3, "patch": 1, "grid": [2, 2]}
    )
    with pytest.raises(BadCheckpoint, match="codes of each token, got FlowWorldModel"):
        Compressor(Checkpoint("flow", "flow", flow, None, None, None))
