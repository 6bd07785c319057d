"""Sampling of Wan models: the solvers, the past that is held, guidance and seeds."""

from itertools import pairwise
from typing import Any

import pytest
import torch
from diffusers.schedulers.scheduling_flow_match_euler_discrete import FlowMatchEulerDiscreteScheduler
from diffusers.schedulers.scheduling_unipc_multistep import UniPCMultistepScheduler
from wan_models import LATENTS, PAST, clip, model

from hwm_core.errors import BadConfig
from hwm_core.models.wan_schedule import noise_levels
from hwm_core.rng.candidates import CandidateGenerator
from hwm_core.sampling.config import Sampling
from hwm_core.sampling.wan_predictor import WanPredictor, euler, unipc

CPU = torch.device("cpu")


def futures(net, codes, actions, candidates=1, seed=0, skip=0, count=LATENTS - PAST, **sampling) -> torch.Tensor:
    predictor, now = WanPredictor(net), net.config.past_frames
    past = predictor.observe(codes[:1, :PAST], actions[:1, :now])
    return predictor.predict(
        past,
        actions[:, now:],
        candidates=candidates,
        num_latents=count,
        sampling=Sampling(**sampling),
        generator=CandidateGenerator(seed, CPU),
        skip=skip,
    ).latents


@pytest.mark.parametrize("solve", [euler, unipc])
@pytest.mark.parametrize("shift", [1.0, 5.0])
def test_every_solver_follows_a_straight_path_to_its_end_in_any_number_of_steps(solve, shift) -> None:
    data, noise = torch.randn(1, 2, 3, 3, 4), torch.randn(1, 2, 3, 3, 4)
    for steps in (1, 2, 5, 20):
        # The first level of UniPC is 1 - 1e-6, so that its logarithms are finite.
        assert torch.allclose(solve(lambda x, t: noise - data, noise, steps, shift), data, atol=1e-4)


def test_unipc_has_a_smaller_error_than_euler_on_a_curved_path() -> None:
    # Data of N(0, 0.25): the velocity at level s is that of the mean, and the path from x_1 ends at x_1 / 2.
    def velocity(x: torch.Tensor, timestep: float) -> torch.Tensor:
        s = timestep / 1000
        variance = (1 - s) ** 2 / 4 + s**2
        return x * (s - (1 - s) / 4) / variance

    noise = torch.ones(1, 1, 2, 2, 2)
    error = {solve: (solve(velocity, noise, 10, 1.0) - noise / 2).abs().max() for solve in (euler, unipc)}
    assert error[unipc] < error[euler] / 3
    assert error[euler] < 0.2 and (euler(velocity, noise, 100, 1.0) - noise / 2).abs().max() < error[euler] / 5


def test_euler_is_the_scheduler_of_diffusers_at_the_same_noise_levels() -> None:
    scheduler = FlowMatchEulerDiscreteScheduler(shift=1.0)
    levels = noise_levels(5, 5.0)
    scheduler.set_timesteps(sigmas=levels[:-1])
    noise = torch.randn(1, 2, 3, 3, 4)
    x = noise
    for timestep in scheduler.timesteps:
        x = scheduler.step(torch.sin(3 * x) * timestep / 500, timestep, x, return_dict=False)[0]
    ours = euler(lambda x, timestep: torch.sin(3 * x) * timestep / 500, noise, 5, 5.0)
    assert torch.allclose(ours, x, atol=1e-5)


@pytest.mark.parametrize("steps", [1, 2, 5, 20])
@pytest.mark.parametrize("shift", [1.0, 5.0])
def test_the_noise_levels_are_those_of_unipc_of_diffusers(steps: int, shift: float) -> None:
    scheduler = UniPCMultistepScheduler(prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=shift)
    scheduler.set_timesteps(steps)
    assert noise_levels(steps, shift) == pytest.approx(scheduler.sigmas.tolist(), rel=0, abs=2e-6)


def test_one_step_is_the_mean_prediction() -> None:
    net, (codes, actions) = model(), clip()
    noise = CandidateGenerator(0, CPU).normal((1, LATENTS - PAST, *codes.shape[2:]))
    with torch.no_grad():
        mean = noise - net(noise, torch.tensor([1000.0]), codes[:, :PAST], actions)
        assert torch.allclose(futures(net, codes, actions), mean, atol=1e-6)


@pytest.mark.parametrize("solver", ["euler", "unipc"])
def test_candidates_share_their_noise_and_equal_candidates_have_equal_futures(solver: str) -> None:
    net, (codes, actions) = model(), clip(2)
    with torch.no_grad():
        same = futures(net, codes, actions[:1].expand(3, -1, -1), candidates=3, steps=2, solver=solver)
        assert torch.allclose(same[:1].expand(3, -1, -1, -1, -1), same, atol=1e-5)
        other = futures(net, codes, actions, candidates=2, steps=2, solver=solver)
        assert not torch.allclose(other[0], other[1], atol=1e-3)
        assert not torch.allclose(futures(net, codes, actions[:1], seed=1, steps=2, solver=solver)[0], other[0])
        last = futures(net, codes, actions, candidates=2, steps=2, solver=solver, skip=2, count=2)
        assert torch.allclose(last, other[:, 2:], atol=1e-6)


@pytest.mark.parametrize("solver", ["euler", "unipc"])
def test_the_observed_latents_are_given_unchanged_at_every_step(solver: str, monkeypatch) -> None:
    net, (codes, actions) = model(), clip(3)
    compute, given = net.forward, []

    def forward(noisy: torch.Tensor, timesteps: torch.Tensor, past: torch.Tensor, *rest: Any, **options: Any) -> Any:
        given.append(past)
        return compute(noisy, timesteps, past, *rest, **options)

    monkeypatch.setattr(net, "forward", forward)
    with torch.no_grad():
        futures(net, codes, actions, candidates=3, steps=3, solver=solver)
    assert len(given) == 3
    assert all(torch.equal(past, codes[:1, :PAST].expand(3, -1, -1, -1, -1)) for past in given)


@pytest.mark.parametrize("scale", [0.0, 1.0, 3.0])
def test_futures_of_several_candidates_equal_the_solver_written_out_with_and_without_guidance(scale: float) -> None:
    net, (codes, actions) = model(), clip(3)
    now, past = net.config.past_frames, codes[:1, :PAST]
    noise = CandidateGenerator(0, CPU).normal((1, LATENTS - PAST, *codes.shape[2:]))
    levels, expected = [1.0, *(5 * s / (1 + 4 * s) for s in (0.667, 0.334)), 0.0], []  # from 1 towards 0.001, shifted
    with torch.no_grad():
        for candidate in actions:
            states, x = torch.cat([actions[0, :now], candidate[now:]])[None], noise
            for level, following in pairwise(levels):
                with_states, without = (net(x, torch.tensor([1000 * level]), past, of) for of in (states, None))
                x = x + (following - level) * (without + scale * (with_states - without))
            expected.append(x)
        got = futures(net, codes, actions, candidates=3, steps=3, guidance_scale=scale)
    torch.testing.assert_close(got, torch.cat(expected), rtol=0, atol=2e-5 * float(got.abs().max()))


def test_a_future_can_be_differentiated_by_its_actions() -> None:
    net, (codes, actions) = model(), clip()
    actions.requires_grad_(True)
    futures(net, codes, actions, steps=2, solver="unipc").square().sum().backward()
    assert actions.grad is not None and actions.grad[:, -1].any()


def test_a_solver_of_another_family_is_rejected() -> None:
    net, (codes, actions) = model(), clip()
    with pytest.raises(BadConfig, match="euler or unipc"):
        futures(net, codes, actions, solver="heun")
    with pytest.raises(BadConfig, match="attends to the noisy future"):
        WanPredictor(net).compile("default")
