"""The flow family: the path from noise to data, dropped conditions, and a clean past."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from eight_models import FACTOR, FRAMES, LATENTS, PAST, Case

from hwm_core.errors import BadConfig
from hwm_core.models.flow_config import FlowConfig
from hwm_core.models.flow_path import interpolate, linear_estimate, velocity_to
from hwm_core.rng.candidates import CandidateGenerator
from hwm_core.sampling.config import Sampling
from hwm_core.sampling.flow_predictor import FlowPredictor
from hwm_core.sampling.ode import STEPS, euler
from hwm_core.streams import ACTIONS, VIDEO, Stream

VARIANTS = ("base", "split", "modality_shared", "fully_shared")
NOW = 1 + (PAST - 1) * FACTOR


def points(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Noise and data [2, 3, 4, 6, 3]."""
    return torch.randn(2, 2, 3, 4, 6, 3, generator=torch.Generator().manual_seed(seed)).unbind(0)


def perfect(data: torch.Tensor, sigma_min: float) -> Callable[..., torch.Tensor]:
    """A forward that knows the data, and computes the noise from the point and the data."""

    def forward(point: torch.Tensor, t: torch.Tensor, *_: object, **__: object) -> torch.Tensor:
        t = t.view(-1, 1, 1, 1, 1)
        return data - (1 - sigma_min) * (point - t * data) / (1 - (1 - sigma_min) * t)

    return forward


def test_the_path_runs_from_noise_to_data_with_sigma_min_of_noise_left() -> None:
    noise, data = points()
    assert torch.equal(interpolate(noise, data, torch.zeros(2), 0.1), noise)
    torch.testing.assert_close(interpolate(noise, data, torch.ones(2), 0.1), data + 0.1 * noise)


def test_one_euler_step_along_the_exact_velocity_gives_the_data_with_sigma_min_of_noise_left() -> None:
    noise, data = points()
    reached = euler(lambda x, t: data - (1 - 0.1) * noise, noise, 0.0, 1.0)
    torch.testing.assert_close(reached, data + 0.1 * noise)


def test_the_velocity_is_the_derivative_of_the_path() -> None:
    noise, data = (x.double() for x in points())
    t = torch.tensor([0.25, 0.8], dtype=torch.float64)
    slope = (interpolate(noise, data, t + 1e-6, 0.1) - interpolate(noise, data, t, 0.1)) / 1e-6
    torch.testing.assert_close(slope, data - (1 - 0.1) * noise, rtol=0, atol=1e-8)


def test_predicted_data_is_converted_to_the_velocity_of_the_path() -> None:
    noise, data = points()
    t = torch.tensor([0.0, 0.8])
    torch.testing.assert_close(velocity_to(data, interpolate(noise, data, t, 0.1), t, 0.1), data - (1 - 0.1) * noise)


@pytest.mark.parametrize("variant", VARIANTS)
def test_with_qk_norm_always_the_size_of_queries_has_no_effect(variant: str) -> None:
    case = Case("flow", variant, "full")
    latents, actions = case.clip()

    def changed_by_longer_queries(qk_norm: str) -> float:
        net = case.build(qk_norm=qk_norm)
        before = case.predict(net, latents, actions)
        for name, weight in net.named_parameters():
            if ".query." in name:
                weight.data *= 100
        return float((case.predict(net, latents, actions) - before).abs().max())

    assert changed_by_longer_queries("always") < 1e-4
    assert (changed_by_longer_queries("paper") > 1e-2) == (variant in ("modality_shared", "fully_shared"))


@pytest.mark.parametrize("time", [0.0, 0.3, 0.9])
def test_the_error_of_the_linear_estimate_is_uncorrelated_with_its_input(time: float) -> None:
    noise, data = torch.randn(2, 400_000, 1, generator=torch.Generator().manual_seed(0)).unbind(0)
    t = torch.full((len(data),), time)
    point = interpolate(noise, data, t, 0.1)
    error = data - linear_estimate(point, t, 0.1)
    assert abs((error * point).mean().item()) < 0.01  # standard error below 0.002


def test_with_the_linear_estimate_as_input_the_mean_prediction_does_not_depend_on_the_noise() -> None:
    case = Case("flow", "modality_shared", "clean_context", options=True)
    net, (latents, actions) = case.build(sigma_min=0.0), case.clip(2)
    with torch.no_grad():
        one, other = (net.mean_prediction(latents, actions, torch.Generator().manual_seed(seed)) for seed in (0, 1))
    torch.testing.assert_close(one, other, rtol=0, atol=1e-4)


def test_an_untrained_model_with_convolutions_predicts_the_newest_latent() -> None:
    case = Case("flow", "base", "full", options=True)
    net, (latents, actions) = case.build(random=False, sigma_min=0.0), case.clip(2)
    with torch.no_grad():
        mean = net.mean_prediction(latents, actions, torch.Generator().manual_seed(0))
    torch.testing.assert_close(mean, latents[:, PAST - 1 : PAST].expand_as(mean), rtol=0, atol=1e-5)


def test_with_action_modulation_the_prediction_depends_on_the_newest_past_action() -> None:
    case = Case("flow", "modality_shared", "clean_context", options=True)
    net, (latents, actions) = case.build(), case.clip(1)
    noisy, past, t = latents[:, PAST:], latents[:, :PAST], torch.zeros(1)
    with torch.no_grad():
        cached = net.prefill(past, actions[:, :NOW])
        moved = replace(cached.past, newest_action=cached.past.newest_action + 1)
        apart = replace(cached, past=moved)
        one, other = (net.predict(past_cache, noisy, t, actions[:, NOW:]) for past_cache in (cached, apart))
    assert not torch.equal(one, other)


@pytest.mark.parametrize("change", [{"conv_width": 12}, {"predicts": "velocity"}])
def test_invalid_convolutions_are_rejected(change: dict) -> None:
    with pytest.raises(BadConfig, match="conv_width"):
        FlowConfig.parse({"conv_width": 8, "predicts": "data", **change})


def test_near_t_1_the_velocity_to_wrong_data_stays_bounded() -> None:
    noise, data = points()
    assert velocity_to(data + 1, interpolate(noise, data, torch.ones(2), 0.0), torch.ones(2), 0.0).abs().max() <= 20.01


def test_a_data_prediction_of_zero_has_the_mean_square_of_the_data_as_its_loss() -> None:
    case = Case("flow", "base", "full")
    net, (latents, actions) = case.build(predicts="data"), case.clip(64)
    torch.nn.init.zeros_(net.head.weight)
    loss, _ = net.loss(latents, actions, torch.Generator().manual_seed(0))
    torch.testing.assert_close(loss, latents[:, net.config.num_past_latents :].square().mean(), rtol=0.02, atol=0)


def test_a_velocity_prediction_of_zero_has_the_mean_square_of_the_velocity_as_its_loss() -> None:
    net, (latents, actions) = Case("flow", "base", "full").build(sigma_min=0.0), Case("flow", "base", "full").clip(64)
    torch.nn.init.zeros_(net.head.weight)
    loss, _ = net.loss(latents, actions, torch.Generator().manual_seed(0))
    # Unit noise and unit data are independent: E (x1 - x0)^2 = 2; 64 * 3 * 72 numbers, standard error 0.024.
    assert abs(loss.item() - 2.0) < 0.1


def test_an_exact_velocity_has_no_loss() -> None:
    case = Case("flow", "base", "full")
    net, (latents, actions) = case.build(sigma_min=0.3), case.clip(4)
    net.forward = perfect(latents[:, PAST:], sigma_min=0.3)
    loss, _ = net.loss(latents, actions, torch.Generator().manual_seed(0))
    assert loss < 1e-9  # rounding alone; without its 0.3 of noise the target were off by 0.3^2 = 0.09


@pytest.mark.parametrize("steps", [1, 4])
@pytest.mark.parametrize("solver", STEPS)
def test_an_exact_velocity_takes_every_candidate_from_its_noise_to_the_data_with_sigma_min_of_noise_left(
    solver: str, steps: int
) -> None:
    case = Case("flow", "base", "full")
    net, (latents, actions) = case.build(), case.clip(2)
    net.forward = perfect(latents[:, PAST:], sigma_min=0.1)
    predictor, generators = FlowPredictor(net), [CandidateGenerator((0, 1), torch.device("cpu")) for _ in range(2)]
    future = predictor.predict(
        predictor.observe(latents[:1, :PAST], actions[:1, :NOW]),
        actions[:, NOW:],
        candidates=2,
        num_latents=LATENTS - PAST,
        sampling=Sampling(steps=steps, solver=solver),
        generator=generators[0],
    )
    noise = generators[1].normal(future.latents.shape)
    torch.testing.assert_close(future.latents, latents[:, PAST:] + 0.1 * noise, rtol=0, atol=1e-4)


ALWAYS = 1 - 1e-9


@pytest.mark.parametrize(("condition", "action"), [(ALWAYS, 0.0), (0.0, ALWAYS), (0.25, 0.6)])
def test_context_and_actions_are_dropped_independently_at_their_rates(condition: float, action: float) -> None:
    case, samples, seen = Case("flow", "fully_shared", "full"), 2000, {}
    net, (latents, actions) = case.build(condition_dropout=condition, action_dropout=action), case.clip(samples)

    def forward(point: torch.Tensor, *_: object, **which: torch.Tensor) -> torch.Tensor:
        seen.update(which)
        return torch.zeros_like(point)

    net.forward = forward
    net.loss(latents, actions, torch.Generator().manual_seed(0))
    no_context, no_actions = seen["drop_context"], seen["drop_actions"]
    for found, rate in ((no_context, condition), (no_actions, action), (no_context & no_actions, condition * action)):
        error = (rate * (1 - rate) / samples) ** 0.5  # 0.010, 0.011 and 0.008 of the last case, else nothing
        assert found.shape == (samples,) and abs(found.float().mean().item() - rate) <= 4 * error + 1e-6


@pytest.mark.parametrize("attention", ["full", "clean_context"])
def test_positions_of_the_future_continue_those_of_the_past_and_change_the_prediction(attention: str) -> None:
    case, at = Case("flow", "base", attention), {}
    net, clip = case.build(), case.clip()
    hook = net.backbone.register_forward_pre_hook(lambda _, arguments: at.update(arguments[1]))
    before = case.predict(net, *clip)
    if attention == "clean_context":  # the past alone, then the future alone
        at.clear()
        case.predict_cached(net, *clip)
    for (past, future), length in ((VIDEO, LATENTS), (ACTIONS, FRAMES)):
        assert [*at[past].tolist(), *at[future].tolist()] == list(range(length))
    hook.remove()
    for past, future in (VIDEO, ACTIONS):

        def swap(_: object, arguments: tuple, past: Stream = past, future: Stream = future) -> tuple:
            streams, at, *others = arguments
            at = {stream: index.clone() for stream, index in at.items()}
            at[past][-1], at[future][0] = at[future][0].item(), at[past][-1].item()
            return streams, at, *others

        with net.backbone.register_forward_pre_hook(swap):
            assert not torch.equal(case.predict(net, *clip), before)


def test_a_learned_position_is_added_to_its_own_latent_only() -> None:
    case, entered = Case("flow", "base", "full", options=True), []
    net, clip = case.build(), case.clip()
    net.backbone.register_forward_pre_hook(
        lambda _, arguments: entered.append(torch.cat([arguments[0][stream] for stream in VIDEO], dim=1))
    )
    case.predict(net, *clip)
    for latent in range(LATENTS):
        with torch.no_grad():
            net.position_embed.weight[latent] += 1
        case.predict(net, *clip)
        moved = (entered[-1] != entered[-2]).flatten(2).any(-1)[0]
        assert moved.tolist() == [i == latent for i in range(LATENTS)]


@pytest.mark.parametrize("attention", ["full", "clean_context"])
def test_dropped_conditions_have_no_effect(attention: str) -> None:
    net, (latents, actions) = Case("flow", "base", attention).build(), Case("flow", "base", attention).clip(2)
    noisy, past, t = latents[:, PAST:], latents[:, :PAST], torch.full((2,), 0.5)
    dropped = torch.tensor([True, False])
    with torch.no_grad():
        before = net(noisy, t, past, actions, drop_context=dropped)
        after = net(noisy, t, past + 1, actions + 1, drop_context=dropped)
        assert torch.equal(before[0], after[0]) and not torch.equal(before[1], after[1])
        without = [net(noisy, t, past, a, drop_actions=torch.tensor([True, True])) for a in (actions, actions + 1)]
        assert torch.equal(*without)
        assert torch.equal(without[0], net(noisy, t, past, None))


@pytest.mark.parametrize("variant", VARIANTS)
def test_past_tokens_are_equal_at_every_time_only_with_clean_context(variant: str) -> None:
    def moved(attention: str) -> bool:
        """Whether the past tokens after the first block change with t."""
        net, (latents, actions) = Case("flow", variant, attention).build(), Case("flow", variant, attention).clip()
        seen = []
        net.backbone.blocks[0].register_forward_hook(lambda _, __, out: seen.append(out[0]))
        with torch.no_grad():
            for t in (0.1, 0.9):
                net(latents[:, PAST:], torch.tensor([t]), latents[:, :PAST], actions)
        return any(not torch.equal(seen[0][s], seen[1][s]) for s in seen[0] if s.is_past)

    assert moved("full") and not moved("clean_context")


@pytest.mark.parametrize("variant", VARIANTS)
def test_guidance_with_a_cache_equals_guidance_without(variant: str) -> None:
    case = Case("flow", variant, "clean_context")
    net, (latents, actions) = case.build(), case.clip(4)
    past, dropped = latents[:1, :PAST], torch.tensor([False, False, True, True])
    t = torch.full((4,), 0.4)
    with torch.no_grad():
        nothing = net.prefill(past, None, drop_context=torch.tensor([True]))
        past_cache = net.prefill(past, actions[:1, :NOW]).concat_batch(nothing, 2)
        cached = net.predict(past_cache, latents[:, PAST:], t, actions[:, NOW:], drop_actions=dropped)
        every = torch.cat([actions[:1, :NOW].expand(4, -1, -1), actions[:, NOW:]], dim=1)
        full = net(latents[:, PAST:], t, past.expand(4, -1, -1, -1, -1), every, drop_context=dropped)
    torch.testing.assert_close(cached, full, rtol=0, atol=2e-5 * full.abs().max().item())


def test_times_are_logit_normal_and_a_share_of_them_is_zero() -> None:
    case = Case("flow", "fully_shared", "full")
    net, (latents, actions) = case.build(pure_noise_rate=0.25, depth=1), case.clip(400)
    times: list[torch.Tensor] = []
    net.register_forward_pre_hook(lambda _, inputs: times.append(inputs[1]))
    with torch.no_grad():
        net.loss(latents[:, :, :, :], actions, torch.Generator().manual_seed(0))
    drawn = times[0][times[0] > 0]
    assert 0.17 < (times[0] == 0).float().mean().item() < 0.33  # 0.25, standard error 0.022
    normal = torch.logit(drawn)
    assert abs(normal.mean().item()) < 0.2 and abs(normal.std().item() - 1) < 0.15


def test_a_head_size_that_is_not_a_multiple_of_six_is_rejected() -> None:
    with pytest.raises(BadConfig, match="multiple of 6"):
        FlowConfig.parse({"dim": 64, "num_heads": 4})


def test_there_is_one_action_token_per_frame() -> None:
    net = Case("flow", "base", "full").build()
    assert net.config.past_frames + net.config.future_frames == FRAMES
