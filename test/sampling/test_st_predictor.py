"""Futures of the ST-Transformer."""

import math

import pytest
import torch
from st_models import LATENTS, NOW, PAST, clip, model

from hwm_core.models.st_transformer import STTransformer
from hwm_core.rng.candidates import CandidateGenerator
from hwm_core.sampling.config import Sampling
from hwm_core.sampling.predictor import TokenPredictor
from hwm_core.sampling.st_predictor import STPredictor
from hwm_core.types import Rollout

FUTURE = LATENTS - PAST
SAMPLED = Sampling(temperature=1.0, soft=False)


def predict(
    net: STTransformer,
    codes: torch.Tensor,
    actions: torch.Tensor,
    sampling: Sampling,
    *,
    seed: object = 0,
    pasts: int = 1,
    candidates: int = 3,
    dropped: bool = False,
    **options: int,
) -> Rollout:
    predictor, now = STPredictor(net), net.config.past_frames
    past = predictor.observe(codes[:pasts, : net.config.num_past_latents], actions[:pasts, :now])
    with torch.no_grad():
        return predictor.predict(
            past,
            None if dropped else actions[:candidates, now:],
            candidates=candidates,
            sampling=sampling,
            generator=CandidateGenerator(seed, torch.device("cpu")),
            **{"num_latents": net.config.num_future_latents, **options},
        )


def by_hand(net: STTransformer, codes: torch.Tensor, actions: torch.Tensor | None) -> torch.Tensor:
    """The likeliest tokens of the future, each from a forward pass over the whole window."""
    codes = codes.clone()
    with torch.no_grad():
        for latent in range(net.config.num_past_latents, net.config.num_latents):
            logits = net(net.to_sites(codes), actions)[:, latent - net.config.num_past_latents]
            codes[:, latent] = net.to_grid(net.vocabulary.likeliest(logits)[:, None])[:, 0]
    return codes[:, net.config.num_past_latents :]


@pytest.mark.parametrize("vocabulary", ["flat", "factorised"])
@pytest.mark.parametrize("past", [1, PAST])
@pytest.mark.parametrize("dropped", [False, True])
def test_greedy_futures_equal_whole_forward_passes_latent_after_latent(
    vocabulary: str, past: int, dropped: bool
) -> None:
    net = model(vocabulary=vocabulary, num_past_latents=past)
    codes, actions = clip(net, batch=3)
    now = net.config.past_frames
    codes[:, :past], actions[:, :now] = codes[:1, :past], actions[:1, :now]  # 3 candidates share the past
    expected = by_hand(net, codes, None if dropped else actions)
    future = predict(net, codes, actions, Sampling(soft=False), dropped=dropped)
    assert torch.equal(future.tokens, expected)
    assert torch.equal(future.latents, net.vocabulary.latents(expected))


def test_candidates_with_their_own_pasts_equal_single_predictions() -> None:
    net = model()
    codes, actions = clip(net, batch=3)
    together = predict(net, codes, actions, Sampling(), pasts=3)
    for row in range(3):
        alone = predict(net, codes[row : row + 1], actions[row : row + 1], Sampling(), candidates=1)
        torch.testing.assert_close(together.latents[row : row + 1], alone.latents)


def test_a_candidate_with_its_own_seed_gets_the_same_sampled_future_in_any_batch() -> None:
    net = model()
    codes, actions = clip(net, batch=3)
    together = predict(net, codes, actions, SAMPLED, seed=[5, 6, 7])
    alone = predict(
        net, codes[:1], torch.cat([actions[:1, :NOW], actions[1:2, NOW:]], 1), SAMPLED, seed=[6], candidates=1
    )
    assert torch.equal(together.tokens[1:2], alone.tokens)
    assert not torch.equal(predict(net, codes, actions, SAMPLED, seed=1).tokens, together.tokens)


def test_soft_latents_are_the_mean_of_the_distribution_and_the_sampled_tokens_stay_the_same() -> None:
    net = model()
    codes, actions = clip(net, batch=3)
    soft, hard = (predict(net, codes, actions, Sampling(soft=soft)) for soft in (True, False))
    assert torch.equal(soft.tokens, hard.tokens) and not torch.equal(soft.latents, hard.latents)
    with torch.no_grad():
        codes[:, :PAST], actions[:, :NOW] = codes[:1, :PAST], actions[:1, :NOW]
        mean = net.mean_prediction(codes, actions, torch.Generator())
    torch.testing.assert_close(soft.latents, mean)


def test_skipped_latents_are_predicted_but_not_returned() -> None:
    net = model()
    codes, actions = clip(net, batch=3)
    whole = predict(net, codes, actions, Sampling())
    last = predict(net, codes, actions, Sampling(), skip=FUTURE - 1, num_latents=1)
    assert last.first_latent == FUTURE - 1
    torch.testing.assert_close(last.latents, whole.latents[:, -1:])


@pytest.mark.parametrize("future", [1, FUTURE])
@pytest.mark.parametrize("temperature", [0.0, 5.0])
@pytest.mark.parametrize("soft", [False, True])
def test_futures_differ_by_seed_where_the_predictor_says_so(future: int, temperature: float, soft: bool) -> None:
    net, sampling = model(num_future_latents=future), Sampling(temperature=temperature, soft=soft)
    codes, actions = clip(net, batch=3)
    one, two = (predict(net, codes, actions, sampling, seed=seed).latents for seed in (1, 2))
    assert STPredictor(net).varies(sampling) is not torch.equal(one, two)


def test_scores_of_tokens_are_entropies_or_likelihoods_under_the_greedy_futures() -> None:
    net = model()
    predictor = STPredictor(net)
    codes, actions = clip(net, batch=3)
    assert isinstance(predictor, TokenPredictor)
    past = predictor.observe(codes[:1, :PAST], actions[:1, :NOW])
    goal = codes[0, -1]
    with torch.no_grad():
        entropy = predictor.token_scores(past, actions[:, NOW:], num_latents=FUTURE, tokens=None)
        of_goal = predictor.token_scores(past, actions[:, NOW:], num_latents=1, tokens=goal, skip=FUTURE - 1)
        greedy = predict(net, codes, actions, Sampling()).tokens
        window = torch.cat([codes[:1, :PAST].expand(3, -1, -1, -1), greedy], 1)
        shared = torch.cat([actions[:1, :NOW].expand(3, -1, -1), actions[:, NOW:]], 1)
        logits = net(net.to_sites(window), shared)
    log_size = math.log(20)
    torch.testing.assert_close(entropy, net.to_grid(net.vocabulary.entropy(logits)) / log_size)
    expected = -net.vocabulary.log_prob(logits[:, -1:], net.to_sites(goal).expand(3, 1, -1, -1, -1)) / log_size
    torch.testing.assert_close(of_goal, net.to_grid(expected))


def test_gradients_reach_the_actions() -> None:
    net = model().requires_grad_(False)
    codes, actions = clip(net, batch=2)
    predictor, future = STPredictor(net), actions[:, NOW:].clone().requires_grad_()
    past = predictor.observe(codes[:1, :PAST], actions[:1, :NOW])
    generator = CandidateGenerator(0, torch.device("cpu"))
    rollout = predictor.predict(
        past, future, candidates=2, num_latents=FUTURE, sampling=Sampling(), generator=generator
    )
    rollout.latents.square().sum().backward()
    assert future.grad is not None and (future.grad.abs().sum(-1) > 0).all()
