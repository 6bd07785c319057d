"""Properties of all eight models of the paper, with every attention pattern, and of the ST-Transformer."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from eight_models import CASES, FACTOR, FRAMES, LATENTS, PAST, Case, disturb, frames_of, randomise

from hwm_core.errors import BadConfig
from hwm_core.nn.backbone import Backbone
from hwm_core.nn.head_norm import NoNorm
from hwm_core.nn.reachability import nodes, reachability
from hwm_core.rng.candidates import CandidateGenerator
from hwm_core.sampling.config import Sampling
from hwm_core.sampling.flow_predictor import FlowPredictor
from hwm_core.streams import Stream
from hwm_core.world_model.registry import FAMILIES
from hwm_core.world_model.variants import build, markdown, parameters, summaries

# Closed forms; masked at d=512, L=24, V=64000, T=3, S=1024, e.g. split = 69,296,128 + 24 (24 d^2 + 19 d + 128); flow at
# d=1152, L=15, e.g. full = 14 d^2 + 306 d + 4 (69 d^2 + 45 d + 1152) + 11 (18 d^2 + 12 d).
PAPER_COUNTS = {
    "masked": {
        "split": 220_527_616,
        "base": 321_372_160,
        "modality_shared": 237_342_720,
        "fully_shared": 195_328_000,
    },
    "flow": {
        "split": 944_418_816,
        "base": 1_361_411_712,
        "modality_shared": 886_028_544,
        "fully_shared": 648_343_296,
    },
    "st_transformer": {"base": 135_208_960},  # derived in `models.st_transformer`
    "wan": {"base": 5_053_017_536},  # derived in `models.wan`
}
CACHEABLE = ("time_aligned", "clean_context")
PAPER_INIT = {"masked": "normal", "flow": "xavier", "st_transformer": "normal"}
PAPER_CASES = [case for case in CASES if case.attention in ("time_aligned", "full") and not case.options]
FLOW_CASES = [case for case in CASES if case.family == "flow"]
every_case = pytest.mark.parametrize("case", CASES, ids=str)


@every_case
def test_the_paper_configuration_has_exactly_the_parameter_count_of_the_paper(case: Case) -> None:
    net = build(case.family, case.variant, case.attention)
    assert sum(p.numel() for p in net.parameters()) == PAPER_COUNTS[case.family][case.variant]


@every_case
def test_the_prediction_depends_on_exactly_the_latents_that_the_specs_declare(case: Case) -> None:
    net, clip = case.build(), case.clip()
    every, declared = nodes(PAST, LATENTS), case.declared(net)
    before = case.predict(net, *clip)
    for column, node in enumerate(every):
        differs = (case.predict(net, *disturb(case, *clip, node)) != before).flatten(2).any(-1)[0]
        assert differs.tolist() == declared[:, column].tolist(), node


@every_case
@pytest.mark.parametrize("stream", list(Stream), ids=lambda stream: stream.value)
def test_each_stream_of_the_backbone_depends_on_exactly_what_the_specs_declare(case: Case, stream: Stream) -> None:
    config = case.build(random=False).config
    specs = case.build(random=False).backbone.specs
    sizes = {"dim": config.dim, "num_heads": config.num_heads, "mlp_ratio": 2.0, "dropout": 0.0, "grid": config.sites}
    backbone = randomise(Backbone(specs, **sizes, wanted=stream))
    per_frame, generator = case.family == "flow", torch.Generator().manual_seed(2)

    def span(of: Stream, latent: int) -> slice:
        """Where a latent's tokens are in its stream."""
        if of.is_video or not per_frame:
            start = latent if of.is_past else latent - PAST
            return slice(start, start + 1)
        cut, first = frames_of(latent), 0 if of.is_past else frames_of(PAST).start
        return slice(cut.start - first, cut.stop - first)

    every, declared = nodes(PAST, LATENTS), reachability(specs, PAST, LATENTS)
    first_future_frame, index = frames_of(PAST).start, {}
    for one in Stream:
        length, first = (LATENTS, PAST) if one.is_video or not per_frame else (FRAMES, first_future_frame)
        index[one] = torch.arange(length)[:first] if one.is_past else torch.arange(length)[first:]
    tokens = {
        one: torch.randn(1, len(latents), 6 if one.is_video else 1, config.dim, generator=generator)
        for one, latents in index.items()
    }
    conditions = dict.fromkeys(Stream, torch.randn(1, 1, config.dim, generator=generator))

    def run(streams: dict[Stream, torch.Tensor]) -> torch.Tensor:
        with torch.no_grad():
            return backbone(streams, index, None, conditions)[0][stream]

    before = run(tokens)
    own_latents = [latent for one, latent in every if one is stream]
    for column, (changed, latent) in enumerate(every):
        other = {one: value.clone() for one, value in tokens.items()}
        other[changed][:, span(changed, latent)] += 1.0
        after = run(other)
        differs = [bool((after != before)[:, span(stream, i)].any()) for i in own_latents]
        assert differs == [declared[every.index((stream, i)), column] for i in own_latents], (changed, latent)


@every_case
def test_swapping_two_actions_within_one_latent_changes_the_prediction(case: Case) -> None:
    net, (codes, actions) = case.build(), case.clip()
    swapped, first = actions.clone(), frames_of(PAST).start
    swapped[:, [first, first + 1]] = actions[:, [first + 1, first]]
    difference = (case.predict(net, codes, actions) - case.predict(net, codes, swapped)).abs().flatten(2).amax((0, 2))
    assert (difference > 1e-4).all()


@every_case
def test_a_base_model_with_tied_weights_equals_the_sharing_variant(case: Case) -> None:
    if case.variant not in ("modality_shared", "fully_shared"):
        pytest.skip("it shares no more than base")
    shared, tied = case.build(), Case(case.family, "base", case.attention, case.options).build()
    for block in tied.backbone.blocks[shared.config.unshared_depth :]:
        if case.family == "flow" and not case.options:  # in the paper only base normalises queries and keys
            block.attention[0].query_norm = block.attention[0].key_norm = NoNorm()
    weights = tied.state_dict()
    for name, value in shared.state_dict().items():
        weights.update(dict.fromkeys(_base_names(name, weights), value))
    tied.load_state_dict(weights)
    expected, got = case.predict(shared, *case.clip()), case.predict(tied, *case.clip())
    if case.family == "masked":
        assert torch.equal(got, expected)
    else:  # base computes past and future video in separate matrix products
        torch.testing.assert_close(got, expected, rtol=0, atol=1e-6)


def _base_names(name: str, base: dict) -> list[str]:
    """The base model's parameters that a shared parameter stands for."""
    members = {
        ".all.": [f".{s.value}." for s in Stream],
        ".video.": [".past_video.", ".future_video."],
        ".actions.": [".past_actions.", ".future_actions."],
    }
    if name in base:
        return [name]
    group = next(g for g in members if g in name)
    return [found for member in members[group] if (found := name.replace(group, member)) in base]


@every_case
def test_cached_predictions_equal_uncached_ones_and_inexact_caches_are_rejected_with_the_reason(case: Case) -> None:
    net, (codes, actions) = case.build(), case.clip(batch=3)
    codes[:, :PAST], actions[:, : 1 + (PAST - 1) * FACTOR] = codes[:1, :PAST], actions[:1, : 1 + (PAST - 1) * FACTOR]
    if case.attention in CACHEABLE:
        full = case.predict(net, codes, actions)
        torch.testing.assert_close(case.predict_cached(net, codes, actions), full, rtol=0, atol=2e-5 * full.abs().max())
    else:
        with pytest.raises(BadConfig, match=r"past_\w+ (of latent 0 depends on|is modulated by the time t)"):
            case.predict_cached(net, codes, actions)


@pytest.mark.parametrize(
    ("case", "solver", "scale"),
    [
        *((case, "euler", scale) for case in FLOW_CASES for scale in (1.0, 3.0)),
        (Case("flow", "split", "clean_context"), "heun", 3.0),
    ],
    ids=str,
)
def test_a_sampled_future_equals_the_solver_written_out_with_and_without_a_cache(
    case: Case, solver: str, scale: float
) -> None:
    net, (latents, actions) = case.build(), case.clip(batch=2)
    now, predictor = frames_of(PAST).start, FlowPredictor(net)
    past = predictor.observe(latents[:1, :PAST], actions[:1, :now])
    assert (past.cache is not None) == (case.attention in CACHEABLE)
    sampling, seeds = Sampling(steps=3, solver=solver, guidance_scale=scale), (5, 6)
    noise = CandidateGenerator(seeds, torch.device("cpu")).normal((2, LATENTS - PAST, *latents.shape[2:]))
    expected = _sampled_by_hand(net, noise, latents[:1, :PAST], actions[:1, :now], actions[:, now:], sampling)
    for encoded in (past, replace(past, cache=None)):
        generator = CandidateGenerator(seeds, torch.device("cpu"))
        with torch.no_grad():
            future = predictor.predict(
                encoded, actions[:, now:], candidates=2, num_latents=2, sampling=sampling, generator=generator
            )
        torch.testing.assert_close(future.latents, expected[:, :2], rtol=0, atol=2e-5 * expected.abs().max())


@torch.no_grad()
def _sampled_by_hand(
    net: Any,
    x: torch.Tensor,
    past: torch.Tensor,
    past_actions: torch.Tensor,
    future_actions: torch.Tensor,
    sampling: Sampling,
) -> torch.Tensor:
    """Latents of two candidates of one past, from noise `x`; guidance extrapolates from a dropped context."""
    past, actions = past.expand(2, -1, -1, -1, -1), torch.cat([past_actions.expand(2, -1, -1), future_actions], dim=1)

    def velocity(x: torch.Tensor, time: float) -> torch.Tensor:
        t = torch.tensor([time, time])
        conditional = net(x, t, past, actions)
        unconditional = net(x, t, torch.zeros_like(past), None, drop_context=torch.tensor([True, True]))
        return unconditional + sampling.guidance_scale * (conditional - unconditional)

    for step in range(sampling.steps):
        slope = velocity(x, step / sampling.steps)
        if sampling.solver == "heun":
            slope = (slope + velocity(x + slope / sampling.steps, (step + 1) / sampling.steps)) / 2
        x = x + slope / sampling.steps
    return x


@pytest.mark.parametrize(
    ("case", "init"),
    [*((case, "fan_in") for case in CASES), *((case, PAPER_INIT[case.family]) for case in PAPER_CASES)],
    ids=str,
)
def test_the_loss_falls_on_one_batch(case: Case, init: str) -> None:
    net, (codes, actions) = case.build(random=False, init=init, depth=2).train(), case.clip(batch=2)
    optimiser = torch.optim.Adam([p for p in net.parameters() if p.requires_grad], 5e-3)
    losses = []
    for step in range(40):
        loss, _ = net.loss(codes, actions, torch.Generator().manual_seed(step % 2))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert sum(losses[-5:]) < 0.5 * sum(losses[:5])


@every_case
def test_exactly_the_parameters_without_a_gradient_are_frozen_and_all_belong_to_the_last_block(case: Case) -> None:
    net, (codes, actions) = case.build().train(), case.clip(batch=4)
    frozen = {name for name, p in net.named_parameters() if not p.requires_grad}
    net.requires_grad_(True)
    net.loss(codes, actions, torch.Generator().manual_seed(0))[0].backward()
    assert frozen == {name for name, p in net.named_parameters() if p.grad is None or not p.grad.any()}
    assert {name.split(".")[2] for name in frozen} <= {str(net.config.depth - 1)}


@every_case
def test_equal_seeds_give_equal_losses_bit_for_bit_and_different_seeds_differ(case: Case) -> None:
    losses = []
    for seed in (3, 3, 4):
        net, clip = case.build(seed=1), case.clip(batch=2)
        losses.append(net.loss(*clip, torch.Generator().manual_seed(seed))[0])
    assert torch.equal(losses[0], losses[1]) and not torch.equal(losses[0], losses[2])


def test_the_table_of_docs_models_is_what_the_code_prints_and_has_the_counts_of_the_paper() -> None:
    table, root = summaries(), Path(__file__).parents[2]
    assert parameters(table) == PAPER_COUNTS == json.loads((root / "benchmarks/results/variants.json").read_text())
    assert markdown(table) in (root / "docs/models.md").read_text(), "run `make variants` and copy the table"


def test_every_family_is_tested() -> None:
    # Wan has its own tests, in test_wan.py: diffusers computes its blocks.
    assert {case.family for case in CASES} | {"wan"} == set(FAMILIES) == set(PAPER_COUNTS)
