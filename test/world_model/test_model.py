"""The world model of a checkpoint."""

import numpy as np
import pytest
import torch
from untrained import untrained

from hwm_core.clips import hold_last
from hwm_core.errors import BadActions, BadConfig, BadImage
from hwm_core.rng.candidates import CandidateGenerator
from hwm_core.sampling.config import Sampling
from hwm_core.world_model.detail_transfer import transfer_detail
from hwm_core.world_model.dynamics import WorldModelDynamics
from hwm_core.world_model.model import WorldModel
from hwm_core.world_model.past import Past

FLOAT32 = torch.float32


@pytest.fixture(
    scope="module",
    params=[
        {"family": "masked"},
        {"family": "masked", "attention": "bidirectional"},
        {"family": "flow", "attention": "full"},
        {"family": "flow", "attention": "clean_context"},
        {"family": "st_transformer"},
        {"family": "wan"},
    ],
    ids=lambda of: "-".join(of.values()),
)
def world(request) -> WorldModel:
    checkpoint = untrained(**request.param)
    generator = torch.Generator().manual_seed(0)
    std = 0.1 if checkpoint.family == "wan" else 0.3  # 0.3 would give Wan latents of size 3000
    for parameter in checkpoint.model.parameters():
        torch.nn.init.normal_(parameter, std=std, generator=generator)
    return WorldModel(checkpoint, dtype=FLOAT32)


@pytest.fixture(params=["mean", "sequential, guided"])
def sampling(request, world: WorldModel) -> Sampling:
    if request.param == "mean":
        return Sampling()
    solver = "unipc" if world.family == "wan" else "heun"
    return Sampling(steps=2, parallel=False, solver=solver, guidance_scale=2.0)


def context(world: WorldModel, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    frames = rng.integers(0, 256, (world.past_frames, 16, 16, 3), dtype=np.uint8)
    return frames, rng.normal(size=(world.past_frames, 3)).astype(np.float32)


def candidates(count: int, frames: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, frames, 3)).astype(np.float32)


def test_candidates_in_one_batch_get_the_same_futures_as_alone(world: WorldModel, sampling: Sampling) -> None:
    past, actions = world.observe(*context(world)), candidates(4, 24)
    together = world.rollout(past, actions, sampling=sampling).latents
    alone = [world.rollout(past, actions[i : i + 1], sampling=sampling).latents for i in range(4)]
    torch.testing.assert_close(together, torch.cat(alone), rtol=0, atol=1e-5)


def test_the_same_seed_gives_the_same_future_and_another_seed_a_different_one(world: WorldModel) -> None:
    past, actions, sampling = world.observe(*context(world)), candidates(1, 24), Sampling(temperature=2.0, soft=False)
    first, again, other = (world.rollout(past, actions, sampling=sampling, seed=s).latents for s in (5, 5, 6))
    assert torch.equal(first, again) and not torch.equal(first, other)


def test_candidates_of_a_flow_model_share_their_noise_so_equal_actions_have_equal_futures() -> None:
    world = WorldModel(untrained(family="flow"), dtype=FLOAT32)
    past, actions = world.observe(*context(world)), candidates(1, 48).repeat(3, axis=0)
    latents = world.rollout(past, actions, sampling=Sampling(steps=3)).latents
    torch.testing.assert_close(latents, latents[:1].expand(3, -1, -1, -1, -1), rtol=0, atol=1e-5)


@torch.inference_mode()
def test_detail_transfer_changes_the_decoded_frames_but_not_the_sampled_latents(world: WorldModel) -> None:
    past, actions = world.observe(*context(world)), candidates(2, 24)
    plain, detailed = (world.rollout(past, actions, sampling=Sampling(detail_transfer=on)) for on in (False, True))
    assert torch.equal(plain.latents, detailed.latents)
    decoded = world.decode(past, plain)
    decoded_newest = world.tokenizer.decode_latents(past.latents)[:, -1]
    expected = transfer_detail(decoded, decoded_newest, past.video[:, -1])
    assert not torch.equal(expected, decoded)
    torch.testing.assert_close(world.decode(past, detailed), expected, rtol=0, atol=1e-5)


def test_detail_is_transferred_from_chunk_to_chunk(world: WorldModel) -> None:
    past, actions, sampling = world.observe(*context(world)), candidates(1, 48), Sampling(detail_transfer=True)
    whole = world.decode(past, world.rollout(past, actions, sampling=sampling))
    first = world.decode(past, world.rollout(past, actions[:, :24], sampling=sampling))
    torch.testing.assert_close(whole[:, :24], first, rtol=0, atol=1e-5)
    plain = world.decode(past, world.rollout(past, actions, sampling=Sampling()))
    assert not torch.allclose(whole[:, 24:], plain[:, 24:], atol=1e-3)


STOCHASTIC = Sampling(steps=2, temperature=1.0, soft=False)


def test_a_candidate_with_its_own_seed_gets_the_same_future_in_any_batch(world: WorldModel) -> None:
    past, actions = world.observe(*context(world)), candidates(1, 32).repeat(3, axis=0)
    together = world.rollout(past, actions, sampling=STOCHASTIC, seed=[5, 6, 5]).latents
    alone = [world.rollout(past, actions[:1], sampling=STOCHASTIC, seed=[seed]).latents for seed in (5, 6, 5)]
    torch.testing.assert_close(together, torch.cat(alone), rtol=0, atol=1e-4)
    assert not torch.allclose(together[0], together[1], atol=1e-2)


def test_mean_frames_are_the_mean_of_the_samples_rounded_once(world: WorldModel) -> None:
    past, actions = world.observe(*context(world)), candidates(2, 24)
    samples = [world.decode(past, rollout) for rollout in world.samples(past, actions, 3, sampling=STOCHASTIC, seed=4)]
    mean = torch.stack(samples).double().mean(dim=0).mul(255).permute(0, 1, 3, 4, 2).numpy()
    rounded = world.mean_frames(past, actions, 3, sampling=STOCHASTIC, seed=4)
    assert rounded.dtype == np.uint8 and np.abs(rounded - mean).max() < 0.501
    assert not torch.equal(samples[0], samples[1]) and not torch.equal(samples[1], samples[2])


def test_the_mean_of_one_sample_is_the_rollout_of_that_seed(world: WorldModel) -> None:
    past, actions = world.observe(*context(world)), candidates(2, 24)
    alone = world.frames(past, world.rollout(past, actions, sampling=STOCHASTIC, seed=4))
    assert np.array_equal(world.mean_frames(past, actions, 1, sampling=STOCHASTIC, seed=4), alone)


def test_several_samples_of_a_deterministic_sampling_are_rejected() -> None:
    world = WorldModel(untrained(), dtype=FLOAT32)
    past, actions = world.observe(*context(world)), candidates(1, 24)
    for sampling in (Sampling(), Sampling(temperature=1.0), Sampling(steps=2, parallel=False)):
        with pytest.raises(BadConfig, match="temperature"):
            world.mean_frames(past, actions, 2, sampling=sampling)
    with pytest.raises(BadConfig, match="1 or more"):
        world.mean_frames(past, actions, 0, sampling=STOCHASTIC)


def test_a_number_of_seeds_other_than_the_number_of_candidates_is_rejected(world: WorldModel) -> None:
    past = world.observe(*context(world))
    with pytest.raises(BadConfig, match="one seed for each candidate"):
        world.rollout(past, candidates(2, 24), sampling=STOCHASTIC, seed=[1, 2, 3])


def test_contexts_in_one_batch_equal_contexts_alone(world: WorldModel, sampling: Sampling) -> None:
    pairs = [context(world, seed) for seed in (0, 1)]
    batch = world.observe(np.stack([frames for frames, _ in pairs]), np.stack([actions for _, actions in pairs]))
    actions = candidates(2, 8)
    together = world.rollout(batch, actions, sampling=sampling).latents
    alone = [
        world.rollout(world.observe(*pair), actions[i : i + 1], sampling=sampling).latents
        for i, pair in enumerate(pairs)
    ]
    torch.testing.assert_close(together, torch.cat(alone), rtol=0, atol=1e-5)


def test_a_rollout_beyond_the_models_future_continues_from_its_newest_predicted_frames(
    world: WorldModel, sampling: Sampling
) -> None:
    past, actions = world.observe(*context(world)), torch.from_numpy(candidates(2, 32))
    factor = world.model.config.temporal_factor
    long = world.rollout(past, actions, sampling=sampling, seed=5)
    generator = CandidateGenerator(5, world.device)  # the second chunk continues the random numbers of the first
    first = world.predict(past, actions[:, :24], num_latents=24 // factor, sampling=sampling, generator=generator)
    video = world.decode(past, first)
    assert torch.equal(world.decode(past, long)[:, :24], video)
    again = world._encode(video[:, -9:], actions[:, 15:24])
    held = hold_last(actions[:, 24:], 24)
    second = world.predict(again, held, num_latents=8 // factor, sampling=sampling, generator=generator)
    torch.testing.assert_close(world.decode(past, long)[:, 24:], world.decode(again, second), rtol=0, atol=1e-6)


@pytest.mark.parametrize("family", ["masked", "flow", "st_transformer"])
@pytest.mark.parametrize("with_actions", [True, False], ids=["actions", "no actions"])
def test_a_future_shorter_than_the_past_is_continued_from_predicted_and_observed_frames(
    family: str, with_actions: bool
) -> None:
    # As in the paper: 9 observed frames and 8 predicted ones, so one frame of the next past is still an observed one.
    world = WorldModel(untrained(family=family, num_future_latents=1), dtype=FLOAT32)
    frames, recent = context(world)
    actions = torch.from_numpy(candidates(2, 20)) if with_actions else None
    chunks = [None] * 3 if actions is None else [actions[:, :8], actions[:, 8:16], actions[:, 16:]]
    long = world.rollout(world.observe(frames, recent), actions, sampling=Sampling(), seed=5, num_frames=20)
    generator = CandidateGenerator(5, world.device)
    video, past_actions = world.to_video(frames[None]), torch.from_numpy(recent)[None]
    parts = []
    for chunk in chunks:
        past, padded = world._encode(video, past_actions), None if chunk is None else hold_last(chunk, 8)
        rollout = world.predict(past, padded, num_latents=1, sampling=Sampling(), generator=generator)
        parts.append(world.decode(past, rollout))
        following = past_actions[:, -1:].expand(1, 8, -1) if chunk is None else chunk
        video, past_actions = (
            torch.cat([old.expand(len(new), *old.shape[1:]), new], dim=1)[:, -9:]
            for old, new in ((video, parts[-1]), (past_actions, following))
        )
    torch.testing.assert_close(long.video, torch.cat(parts, dim=1), rtol=0, atol=1e-6)
    assert torch.equal(video[:, 0], parts[-2][:, -1]), "the last past starts with a frame of the chunk before"


def test_dropped_actions_give_one_future_per_context_that_depends_on_no_action(
    world: WorldModel, sampling: Sampling
) -> None:
    frames, recent = context(world)
    futures = [
        world.rollout(world.observe(frames, actions), None, sampling=sampling, num_frames=16).latents
        for actions in (recent, recent + 1)
    ]
    assert futures[0].shape[:2] == (1, 16 // world.model.config.temporal_factor)
    assert torch.equal(*futures)


def test_a_horizon_that_ends_inside_a_latent_holds_its_last_action_to_the_end_of_the_latent(
    world: WorldModel, sampling: Sampling
) -> None:
    past, actions = world.observe(*context(world)), candidates(1, 5)
    held = np.concatenate([actions, np.repeat(actions[:, -1:], 3, axis=1)], axis=1)
    short, full = (world.rollout(past, a, sampling=sampling).latents for a in (actions, held))
    assert torch.equal(short, full)


@pytest.mark.parametrize(
    ("shape", "value"), [((2, 24), 0.0), ((2, 24, 4), 0.0), ((0, 24, 3), 0.0), ((2, 0, 3), 0.0), ((2, 24, 3), np.nan)]
)
def test_future_actions_of_the_wrong_size_or_not_finite_are_rejected(
    world: WorldModel, shape: tuple[int, ...], value: float
) -> None:
    past = world.observe(*context(world))
    with pytest.raises(BadActions, match="future actions"):
        world.rollout(past, np.full(shape, value, np.float32), sampling=Sampling())


def test_a_context_of_the_wrong_size_is_rejected_alone_and_in_a_batch(world: WorldModel) -> None:
    frames, actions = context(world)
    for lead in ((), (None,)):
        with pytest.raises(BadImage, match="preprocessing"):
            world.observe(frames[1:][lead], actions[lead])
        with pytest.raises(BadActions, match="manifest order"):
            world.observe(frames[lead], actions[:, :2][lead])


def test_the_dynamics_of_planning_equals_the_rollout_of_the_world_model(world: WorldModel) -> None:
    past: Past = world.observe(*context(world))
    actions = torch.from_numpy(candidates(2, 24))
    dynamics = WorldModelDynamics(world)
    rollout, expected = dynamics.rollout(past, actions), world.rollout(past, actions, sampling=Sampling())
    assert torch.equal(rollout.latents, expected.latents)
    assert torch.equal(dynamics.decode(past, rollout), world.decode(past, expected))
