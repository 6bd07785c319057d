"""A checkpoint in use."""

import numpy as np
import pytest
import torch
from untrained import untrained

from hwm_core.errors import BadActions, BadConfig, BadImage
from hwm_core.rng.candidates import Draws
from hwm_core.sampling.config import Sampling
from hwm_core.world_model.detail_transfer import carried
from hwm_core.world_model.dynamics import WorldModelDynamics
from hwm_core.world_model.model import Past, WorldModel

FLOAT32 = torch.float32


@pytest.fixture(
    scope="module",
    params=[
        {"family": "masked"},
        {"family": "masked", "mask": "bidirectional"},
        {"family": "flow", "context": "paper"},
        {"family": "flow", "context": "clean_context"},
    ],
    ids=lambda of: "-".join(of.values()),
)
def world(request) -> WorldModel:
    checkpoint = untrained(**request.param)
    generator = torch.Generator().manual_seed(0)
    for parameter in checkpoint.model.parameters():
        torch.nn.init.normal_(parameter, std=0.3, generator=generator)
    return WorldModel(checkpoint, dtype=FLOAT32)


@pytest.fixture(
    params=[Sampling(), Sampling(steps=2, parallel=False, solver="heun", guidance_scale=2.0)],
    ids=["mean", "latent by latent, guided"],
)
def sampling(request) -> Sampling:
    return request.param


def context(world: WorldModel, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    frames = rng.integers(0, 256, (world.past_frames, 16, 16, 3), dtype=np.uint8)
    return frames, rng.normal(size=(world.past_frames, 3)).astype(np.float32)


def candidates(count: int, frames: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, frames, 3)).astype(np.float32)


def test_candidates_in_one_batch_get_the_futures_they_get_alone(world: WorldModel, sampling: Sampling) -> None:
    past, actions = world.observe(*context(world)), candidates(4, 24)
    together = world.rollout(past, actions, sampling=sampling).latents
    alone = [world.rollout(past, actions[i : i + 1], sampling=sampling).latents for i in range(4)]
    torch.testing.assert_close(together, torch.cat(alone), rtol=0, atol=1e-5)


def test_the_same_seed_gives_the_same_future_and_another_seed_another(world: WorldModel) -> None:
    past, actions, sampling = world.observe(*context(world)), candidates(1, 24), Sampling(temperature=2.0, soft=False)
    first, again, other = (world.rollout(past, actions, sampling=sampling, seed=s).latents for s in (5, 5, 6))
    assert torch.equal(first, again) and not torch.equal(first, other)


def test_candidates_of_a_flow_model_share_their_noise_so_that_equal_actions_have_equal_futures() -> None:
    world = WorldModel(untrained(family="flow"), dtype=FLOAT32)
    past, actions = world.observe(*context(world)), candidates(1, 48).repeat(3, axis=0)
    latents = world.rollout(past, actions, sampling=Sampling(steps=3)).latents
    torch.testing.assert_close(latents, latents[:1].expand(3, -1, -1, -1, -1), rtol=0, atol=1e-5)


@torch.inference_mode()
def test_carried_detail_changes_what_is_painted_and_nothing_that_is_drawn(world: WorldModel) -> None:
    past, actions = world.observe(*context(world)), candidates(2, 24)
    plain, carrying = (world.rollout(past, actions, sampling=Sampling(carry_detail=way)) for way in (False, True))
    assert torch.equal(plain.latents, carrying.latents)
    painted = world.video(past, plain)
    rebuilt = world.tokenizer.decode_latents(past.latents)[:, -1]
    expected = carried(painted, rebuilt, past.video[:, -1])
    assert not torch.equal(expected, painted)
    torch.testing.assert_close(world.video(past, carrying), expected, rtol=0, atol=1e-5)


def test_detail_is_carried_from_chunk_to_chunk(world: WorldModel) -> None:
    past, actions, way = world.observe(*context(world)), candidates(1, 48), Sampling(carry_detail=True)
    whole = world.video(past, world.rollout(past, actions, sampling=way))
    first = world.video(past, world.rollout(past, actions[:, :24], sampling=way))
    torch.testing.assert_close(whole[:, :24], first, rtol=0, atol=1e-5)
    plain = world.video(past, world.rollout(past, actions, sampling=Sampling()))
    assert not torch.allclose(whole[:, 24:], plain[:, 24:], atol=1e-3)


DRAWING = Sampling(steps=2, temperature=1.0, soft=False)


def test_a_candidate_with_a_seed_of_its_own_draws_the_same_in_any_batch(world: WorldModel) -> None:
    past, actions = world.observe(*context(world)), candidates(1, 32).repeat(3, axis=0)
    together = world.rollout(past, actions, sampling=DRAWING, seed=[5, 6, 5]).latents
    alone = [world.rollout(past, actions[:1], sampling=DRAWING, seed=[seed]).latents for seed in (5, 6, 5)]
    torch.testing.assert_close(together, torch.cat(alone), rtol=0, atol=1e-4)
    assert not torch.allclose(together[0], together[1], atol=1e-2)


def test_the_mean_picture_is_the_mean_of_the_samples_rounded_once(world: WorldModel) -> None:
    past, actions = world.observe(*context(world)), candidates(2, 24)
    drawn = [world.video(past, rollout) for rollout in world.samples(past, actions, 3, sampling=DRAWING, seed=4)]
    mean = torch.stack(drawn).double().mean(dim=0).mul(255).permute(0, 1, 3, 4, 2).numpy()
    shown = world.mean_frames(past, actions, 3, sampling=DRAWING, seed=4)
    assert shown.dtype == np.uint8 and np.abs(shown - mean).max() < 0.501
    assert not torch.equal(drawn[0], drawn[1]) and not torch.equal(drawn[1], drawn[2])


def test_the_mean_of_one_is_the_future_of_that_seed(world: WorldModel) -> None:
    past, actions = world.observe(*context(world)), candidates(2, 24)
    alone = world.frames(past, world.rollout(past, actions, sampling=DRAWING, seed=4))
    assert np.array_equal(world.mean_frames(past, actions, 1, sampling=DRAWING, seed=4), alone)


def test_several_samples_of_a_sampling_that_draws_nothing_are_rejected() -> None:
    world = WorldModel(untrained(), dtype=FLOAT32)
    past, actions = world.observe(*context(world)), candidates(1, 24)
    for sampling in (Sampling(), Sampling(temperature=1.0), Sampling(steps=2, parallel=False)):
        with pytest.raises(BadConfig, match="temperature"):
            world.mean_frames(past, actions, 2, sampling=sampling)
    with pytest.raises(BadConfig, match="1 or more"):
        world.mean_frames(past, actions, 0, sampling=DRAWING)


def test_another_number_of_seeds_than_of_candidates_is_rejected(world: WorldModel) -> None:
    past = world.observe(*context(world))
    with pytest.raises(BadConfig, match="one for each candidate"):
        world.rollout(past, candidates(2, 24), sampling=DRAWING, seed=[1, 2, 3])


def test_contexts_observed_together_equal_those_observed_alone(world: WorldModel, sampling: Sampling) -> None:
    pairs = [context(world, seed) for seed in (0, 1)]
    many = world.observe_many(np.stack([f for f, _ in pairs]), np.stack([a for _, a in pairs]))
    actions = candidates(2, 8)
    together = world.rollout(many, actions, sampling=sampling).latents
    alone = [
        world.rollout(world.observe(*pair), actions[i : i + 1], sampling=sampling).latents
        for i, pair in enumerate(pairs)
    ]
    torch.testing.assert_close(together, torch.cat(alone), rtol=0, atol=1e-5)


def test_a_rollout_beyond_the_model_continues_from_its_own_newest_frames(world: WorldModel, sampling: Sampling) -> None:
    past, actions = world.observe(*context(world)), torch.from_numpy(candidates(2, 32))
    long = world.rollout(past, actions, sampling=sampling, seed=5)
    draws = Draws(5, world.device)  # the second chunk draws on from where the first one stopped
    video = world.video(past, world._rollout_once(past, actions[:, :24], 3, sampling, draws))
    assert torch.equal(world.video(past, long)[:, :24], video)
    again = world._observe(video[:, -9:], actions[:, 15:24])
    on = world._rollout_once(again, actions[:, 24:], 1, sampling, draws)
    torch.testing.assert_close(world.video(past, long)[:, 24:], world.video(again, on), rtol=0, atol=1e-6)


@pytest.mark.parametrize("family", ["masked", "flow"])
@pytest.mark.parametrize("heard", [True, False], ids=["actions", "no actions"])
def test_a_future_shorter_than_the_past_is_continued_from_frames_imagined_and_frames_seen(
    family: str, heard: bool
) -> None:
    # As in the paper: 9 frames seen and 8 predicted, so that one frame of the next past is still a real one.
    world = WorldModel(untrained(family=family, num_future_latents=1), dtype=FLOAT32)
    frames, recent = context(world)
    actions = torch.from_numpy(candidates(2, 20)) if heard else None
    played = [None] * 3 if actions is None else [actions[:, :8], actions[:, 8:16], actions[:, 16:]]
    long = world.rollout(world.observe(frames, recent), actions, sampling=Sampling(), seed=5, num_frames=20)
    draws, seen, held = Draws(5, world.device), world.to_video(frames[None]), torch.from_numpy(recent)[None]
    parts = []
    for chunk in played:
        past = world._observe(seen, held)
        parts.append(world.video(past, world._rollout_once(past, chunk, 1, Sampling(), draws)))
        following = held[:, -1:].expand(1, 8, -1) if chunk is None else chunk
        seen, held = (
            torch.cat([old.expand(len(new), *old.shape[1:]), new], dim=1)[:, -9:]
            for old, new in ((seen, parts[-1]), (held, following))
        )
    torch.testing.assert_close(long.video, torch.cat(parts, dim=1), rtol=0, atol=1e-6)
    assert torch.equal(seen[:, 0], parts[-2][:, -1]), "the last past begins with a frame of the chunk before"


def test_dropped_actions_give_one_future_per_context_that_hears_no_action_at_all(
    world: WorldModel, sampling: Sampling
) -> None:
    frames, recent = context(world)
    futures = [
        world.rollout(world.observe(frames, actions), None, sampling=sampling, num_frames=16).latents
        for actions in (recent, recent + 1)
    ]
    assert futures[0].shape[:2] == (1, 2)
    assert torch.equal(*futures)


def test_a_horizon_inside_a_latent_holds_its_last_action_to_the_latent_end(
    world: WorldModel, sampling: Sampling
) -> None:
    past, actions = world.observe(*context(world)), candidates(1, 5)
    held = np.concatenate([actions, np.repeat(actions[:, -1:], 3, axis=1)], axis=1)
    short, full = (world.rollout(past, a, sampling=sampling).latents for a in (actions, held))
    assert torch.equal(short, full)


@pytest.mark.parametrize(
    ("shape", "value"), [((2, 24), 0.0), ((2, 24, 4), 0.0), ((0, 24, 3), 0.0), ((2, 0, 3), 0.0), ((2, 24, 3), np.nan)]
)
def test_future_actions_of_another_size_or_not_finite_are_rejected(
    world: WorldModel, shape: tuple[int, ...], value: float
) -> None:
    past = world.observe(*context(world))
    with pytest.raises(BadActions, match="future actions"):
        world.rollout(past, np.full(shape, value, np.float32), sampling=Sampling())


def test_a_context_of_another_size_is_rejected(world: WorldModel) -> None:
    frames, actions = context(world)
    with pytest.raises(BadImage, match="preprocessing"):
        world.observe(frames[1:], actions)
    with pytest.raises(BadActions, match="manifest order"):
        world.observe(frames, actions[:, :2])


def test_imagination_scores_from_the_same_rollout_the_world_model_gives(world: WorldModel) -> None:
    past: Past = world.observe(*context(world))
    actions = torch.from_numpy(candidates(2, 24))
    imagined = WorldModelDynamics(world).rollout(past, actions)
    expected = world.rollout(past, actions, sampling=Sampling())
    assert torch.equal(imagined.latents, expected.latents)
    assert torch.equal(imagined.frames(), world.video(past, expected))
