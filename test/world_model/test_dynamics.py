"""Rollouts for a search: the last latents alone, in parts that fit into memory, with weights kept in bfloat16."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from untrained import save_untrained, untrained

from hwm_core.errors import BadConfig
from hwm_core.rng.candidates import CandidateGenerator, sample_seed
from hwm_core.sampling.config import Sampling
from hwm_core.sampling.predictor import TokenPredictor
from hwm_core.world_model.checkpoint import load_checkpoint
from hwm_core.world_model.dynamics import WorldModelDynamics
from hwm_core.world_model.model import WorldModel
from hwm_core.world_model.past import Past

MODELS = {
    "masked": {"family": "masked"},
    "masked, no cache": {"family": "masked", "attention": "bidirectional"},
    "flow": {"family": "flow", "attention": "clean_context"},
    "flow, no cache": {"family": "flow", "attention": "full"},
    "flow, separate": {
        "family": "flow",
        "attention": "clean_context",
        "future": "separate",
        "predicts": "data",
        "modulation": "time_and_actions",
        "position": "rotary_and_learned",
        "conv_width": 8,
    },
    "st_transformer": {"family": "st_transformer"},
    "wan": {"family": "wan", "num_future_latents": 3},
}
EXACT = ("flow, separate",)  # its latents are predicted on their own
SAMPLED = Sampling(steps=2, temperature=1.0, soft=False)


def made(name: str) -> tuple[WorldModel, Past, torch.Tensor]:
    """A model of random weights, a past, and actions of 6 candidates."""
    checkpoint, generator = untrained(**MODELS[name]), torch.Generator().manual_seed(0)
    std = 0.1 if name == "wan" else 0.3  # 0.3 would give Wan latents of size 3000
    for parameter in checkpoint.model.parameters():
        torch.nn.init.normal_(parameter, std=std, generator=generator)
    world, rng = WorldModel(checkpoint, dtype=torch.float32), np.random.default_rng(0)
    frames = rng.integers(0, 256, (world.past_frames, 16, 16, 3), dtype=np.uint8)
    past = world.observe(frames, rng.normal(size=(world.past_frames, 3)).astype(np.float32))
    return world, past, torch.randn(6, world.future_frames, 3, generator=generator)


@pytest.mark.parametrize("name", MODELS)
def test_the_last_latents_depend_on_all_actions(name: str) -> None:
    world, past, actions = made(name)
    dynamics = WorldModelDynamics(world, approximate=True)
    last = dynamics.rollout(past, actions, 1)
    assert last.latents.shape == (6, 1, *past.latents.shape[2:]) and last.first_latent == 2
    changed = actions.clone()
    changed[:, 0] += 1.0  # an action of the first of three latents
    assert not torch.allclose(dynamics.rollout(past, changed, 1).latents, last.latents, atol=1e-4)


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("name", MODELS)
def test_the_last_latents_are_those_of_the_whole_future_where_latents_do_not_attend_to_each_other(
    name: str, count: int
) -> None:
    world, past, actions = made(name)
    dynamics = WorldModelDynamics(world, approximate=True)
    whole, last = dynamics.rollout(past, actions).latents, dynamics.rollout(past, actions, count).latents
    same = name in (*EXACT, "masked, no cache", "st_transformer", "wan") or count == 3
    assert torch.allclose(whole[:, -count:], last, atol=1e-5) == same


def test_a_masked_model_that_samples_latent_by_latent_gives_the_last_of_them() -> None:
    world, past, actions = made("masked")
    dynamics = WorldModelDynamics(world, sampling=SAMPLED.model_copy(update={"parallel": False}), approximate=True)
    assert torch.equal(dynamics.rollout(past, actions, 1).latents, dynamics.rollout(past, actions).latents[:, -1:])


def test_a_rollout_of_the_last_latents_cannot_be_decoded() -> None:
    world, past, actions = made("flow")
    with pytest.raises(BadConfig, match="all latents of the future"):
        world.decode(past, WorldModelDynamics(world, approximate=True).rollout(past, actions, 1))


@pytest.mark.parametrize("name", MODELS)
def test_latents_are_left_out_only_where_the_others_do_not_attend_to_them(name: str) -> None:
    world, past, actions = made(name)
    rollout = WorldModelDynamics(world).rollout(past, actions, 1)
    assert rollout.latents.shape[1] == (1 if name in EXACT else 3)


@pytest.mark.parametrize("last", [1, None])
@pytest.mark.parametrize("name", MODELS)
def test_candidates_in_parts_have_the_same_futures(name: str, last: int | None) -> None:
    world, past, actions = made(name)
    parts = WorldModelDynamics(world, memory=1, approximate=True)
    assert parts.batch(1) == 1
    torch.testing.assert_close(
        parts.rollout(past, actions, last).latents,
        WorldModelDynamics(world, approximate=True).rollout(past, actions, last).latents,
        rtol=0,
        atol=1e-5,
    )


def test_parts_of_a_sampled_future_have_their_own_numbers() -> None:
    world, past, actions = made("masked")
    same = actions[:1].expand(6, -1, -1)
    latents = WorldModelDynamics(world, sampling=SAMPLED, memory=1).rollout(past, same).latents
    assert not torch.equal(latents[0], latents[1])


def test_further_candidates_share_the_noise_but_no_uniform_numbers() -> None:
    first = CandidateGenerator(3, torch.device("cpu"))
    noise, numbers = first.normal((2, 4)), first.uniform((2, 4))
    further = first.further()
    assert torch.equal(further.normal((2, 4)), noise) and not torch.equal(further.uniform((2, 4)), numbers)


@pytest.mark.parametrize("family", ["masked", "flow", "st_transformer"])
def test_weights_kept_in_bfloat16_change_no_bit(family: str, tmp_path) -> None:
    folder = save_untrained(tmp_path / "checkpoint", family=family)
    kept = WorldModel.load(folder, dtype="bfloat16")
    converted = WorldModel(load_checkpoint(folder), dtype=torch.bfloat16)
    assert {p.dtype for p in kept.model.backbone.blocks[0].mlp.parameters()} == {torch.bfloat16}
    frames = np.random.default_rng(0).integers(0, 256, (kept.past_frames, 16, 16, 3), dtype=np.uint8)
    actions, futures = np.zeros((kept.past_frames, 3), np.float32), torch.randn(3, kept.future_frames, 3)
    one, other = (
        world.decode(past, WorldModelDynamics(world).rollout(past, futures))
        for world, past in ((world, world.observe(frames, actions)) for world in (kept, converted))
    )
    assert torch.equal(one, other)


@pytest.mark.parametrize("name", MODELS)
def test_futures_can_be_differentiated_by_their_actions_and_only_then_keep_a_graph(name: str) -> None:
    world, past, actions = made(name)
    dynamics = WorldModelDynamics(world)
    assert not dynamics.rollout(past, actions).latents.requires_grad
    moved = actions.clone().requires_grad_()
    (slope,) = torch.autograd.grad(dynamics.rollout(past, moved).latents.square().sum(), moved)
    assert slope.abs().sum() > 0


@pytest.mark.parametrize("name", ["masked", "flow", "flow, separate"])
def test_a_compiled_model_gets_parts_of_one_size_only(name: str, monkeypatch) -> None:
    world, past, actions = made(name)
    whole, sizes = WorldModelDynamics(world).rollout(past, actions).latents, []

    def recorder(function, **options):
        def record(*arguments, **named):
            sizes.append(max(len(one) for one in arguments if isinstance(one, torch.Tensor)))
            return function(*arguments, **named)

        return record

    monkeypatch.setattr(torch, "compile", recorder)
    world.compile(batch=4)
    torch.testing.assert_close(WorldModelDynamics(world).rollout(past, actions).latents, whole, rtol=0, atol=1e-5)
    assert sizes == [4, 4]


@pytest.mark.parametrize("name", ["masked, no cache", "flow, no cache"])
def test_a_model_without_a_cache_of_the_past_cannot_be_compiled(name: str) -> None:
    with pytest.raises(BadConfig, match="cache of the past"):
        made(name)[0].compile()


def test_the_uncertainty_of_a_flow_model_is_the_variance_of_sampled_futures() -> None:
    world, past, actions = made("flow")
    dynamics = WorldModelDynamics(world)
    rollout = dynamics.rollout(past, actions)
    unsure = dynamics.uncertainty(past, rollout, samples=3, steps=2)
    assert unsure.shape == rollout.latents.shape[:-1] and (unsure > 0).all()
    again = dynamics.uncertainty(past, rollout, samples=3, steps=2)
    torch.testing.assert_close(unsure, again)
    sampled = Sampling(steps=2)
    futures = [world.rollout(past, actions, sampling=sampled, seed=sample_seed(0, 1 + k)).latents for k in range(3)]
    torch.testing.assert_close(unsure, torch.stack(futures).var(dim=0).mean(dim=-1))


@pytest.mark.parametrize("name", ["masked", "masked, no cache"])
def test_the_uncertainty_of_a_masked_model_is_the_entropy_of_its_tokens(name: str) -> None:
    world, past, actions = made(name)
    dynamics = WorldModelDynamics(world)
    rollout = dynamics.rollout(past, actions)
    unsure = dynamics.uncertainty(past, rollout, samples=2, steps=2)
    assert unsure.shape == rollout.latents.shape[:-1]
    assert (unsure > 0).all() and (unsure < 1).all()
    torch.nn.init.zeros_(world.model.vocabulary.head.weight)
    torch.nn.init.zeros_(world.model.vocabulary.head.bias)
    torch.testing.assert_close(dynamics.uncertainty(past, rollout, 2, 2), torch.ones_like(unsure))


@pytest.mark.parametrize("name", ["masked", "masked, no cache"])
def test_the_surprise_is_the_negative_log_likelihood_of_the_goals_tokens(name: str) -> None:
    world, past, actions = made(name)
    dynamics = WorldModelDynamics(world)
    rollout = dynamics.rollout(past, actions)
    goal = dynamics.goal(np.random.default_rng(1).integers(0, 256, (16, 16, 3), dtype=np.uint8))
    assert goal.tokens is not None
    surprise = dynamics.goal_surprise(past, rollout, goal)
    vocabulary = world.model.vocabulary
    # The cost of every token of the codebook at one cell, as probabilities: they sum to 1
    total = torch.zeros_like(surprise)
    for token in range(vocabulary.size):
        of_token = dynamics.goal_surprise(past, rollout, replace(goal, tokens=torch.full_like(goal.tokens, token)))
        total += (-of_token * math.log(vocabulary.size)).exp()
        torch.testing.assert_close(surprise[:, :, goal.tokens == token], of_token[:, :, goal.tokens == token])
    torch.testing.assert_close(total, torch.ones_like(total))


@pytest.mark.parametrize("name", MODELS)
def test_what_dynamics_tell_about_the_last_latents_alone_and_in_parts_is_the_same(name: str) -> None:
    world, past, actions = made(name)
    goal = WorldModelDynamics(world).goal(np.zeros((16, 16, 3), np.uint8))
    told = []
    for memory in (2**31, 1):  # all candidates at once, and one at a time
        dynamics = WorldModelDynamics(world, memory=memory, approximate=True)
        rollout = dynamics.rollout(past, actions, 1)
        told.append([dynamics.uncertainty(past, rollout, 2, 2)])
        if isinstance(world.predictor, TokenPredictor):
            told[-1].append(dynamics.goal_surprise(past, rollout, goal))
        assert told[-1][0].shape == (6, 1, 2, 2)
    for one, parts in zip(*told, strict=True):
        torch.testing.assert_close(one, parts, rtol=1e-3, atol=1e-4)


def test_a_flow_model_has_no_likelihood_of_tokens() -> None:
    world, past, actions = made("flow")
    dynamics = WorldModelDynamics(world)
    goal = dynamics.goal(np.zeros((16, 16, 3), np.uint8))
    with pytest.raises(BadConfig, match="goal_tokens"):
        dynamics.goal_surprise(past, dynamics.rollout(past, actions), goal)


def test_cheaper_predictions_take_fewer_steps_or_leave_out_latents() -> None:
    world, past, actions = made("flow")
    exact = WorldModelDynamics(world, sampling=Sampling(steps=4))
    cheap, fewest = exact.at_steps(2), exact.at_steps(4)
    expected = WorldModelDynamics(world, sampling=Sampling(steps=2)).rollout(past, actions, 1)
    torch.testing.assert_close(cheap.rollout(past, actions, 1).latents, expected.latents)
    assert expected.latents.shape[1] == 3, "latents that attend to each other are all predicted"
    assert fewest.rollout(past, actions, 1).latents.shape[1] == 1
