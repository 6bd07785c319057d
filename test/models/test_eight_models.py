"""What all eight models of the paper must do, in every reading: one table of models, one list of properties."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from eight_models import FACTOR, FRAMES, LATENTS, PAST, ROWS, Row, disturb, frames_of, redraw

from hwm_core.errors import BadConfig
from hwm_core.nn.attention import NoNorm
from hwm_core.nn.backbone import Backbone
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
}
CACHEABLE = ("time_aligned", "clean_context")
PAPER_INIT = {"masked": "normal", "flow": "xavier"}
PAPER_ROWS = [row for row in ROWS if row.attention in ("time_aligned", "full") and not row.aided]
FLOW_ROWS = [row for row in ROWS if row.family == "flow"]
every_row = pytest.mark.parametrize("row", ROWS, ids=str)


@every_row
def test_the_paper_configuration_has_the_paper_parameter_count_to_the_unit(row: Row) -> None:
    net = build(row.family, row.variant, row.attention)
    assert sum(p.numel() for p in net.parameters()) == PAPER_COUNTS[row.family][row.variant]


@every_row
def test_what_changes_the_prediction_is_what_the_table_declares_latent_by_latent(row: Row) -> None:
    net, clip = row.build(), row.clip()
    every, declared = nodes(PAST, LATENTS), reachability(net.backbone.specs, PAST, LATENTS)
    outputs = [every.index((Stream.FUTURE_VIDEO, latent)) for latent in range(PAST, LATENTS)]
    before = row.predict(net, *clip)
    for column, node in enumerate(every):
        differs = (row.predict(net, *disturb(row, *clip, node)) != before).flatten(2).any(-1)[0]
        assert differs.tolist() == declared[outputs, column].tolist(), node


@every_row
@pytest.mark.parametrize("listener", list(Stream), ids=lambda stream: stream.value)
def test_what_each_stream_hears_inside_is_what_the_table_declares(row: Row, listener: Stream) -> None:
    config = row.build(redrawn=False).config
    rows = row.build(redrawn=False).backbone.specs
    sizes = {"dim": config.dim, "num_heads": config.num_heads, "mlp_ratio": 2.0, "dropout": 0.0, "grid": config.sites}
    backbone = redraw(Backbone(rows, **sizes, wanted=listener))
    per_frame, generator = row.family == "flow", torch.Generator().manual_seed(2)

    def span(stream: Stream, latent: int) -> slice:
        """Where a latent's tokens are in its stream."""
        if stream.is_video or not per_frame:
            start = latent if stream.is_past else latent - PAST
            return slice(start, start + 1)
        cut, first = frames_of(latent), 0 if stream.is_past else frames_of(PAST).start
        return slice(cut.start - first, cut.stop - first)

    every, declared = nodes(PAST, LATENTS), reachability(rows, PAST, LATENTS)
    now, at = frames_of(PAST).start, {}
    for stream in Stream:
        length, first = (LATENTS, PAST) if stream.is_video or not per_frame else (FRAMES, now)
        at[stream] = torch.arange(length)[:first] if stream.is_past else torch.arange(length)[first:]
    tokens = {
        stream: torch.randn(1, len(index), 6 if stream.is_video else 1, config.dim, generator=generator)
        for stream, index in at.items()
    }
    conditions = dict.fromkeys(Stream, torch.randn(1, 1, config.dim, generator=generator))

    def run(streams: dict[Stream, torch.Tensor]) -> torch.Tensor:
        with torch.no_grad():
            return backbone(streams, at, None, conditions)[0][listener]

    before = run(tokens)
    latents = [latent for stream, latent in every if stream is listener]
    for column, (speaker, latent) in enumerate(every):
        other = {stream: value.clone() for stream, value in tokens.items()}
        other[speaker][:, span(speaker, latent)] += 1.0
        after = run(other)
        heard = [bool((after != before)[:, span(listener, i)].any()) for i in latents]
        assert heard == [declared[every.index((listener, i)), column] for i in latents], (speaker, latent)


@every_row
def test_swapping_two_actions_inside_one_latent_is_heard(row: Row) -> None:
    net, (codes, actions) = row.build(), row.clip()
    swapped, first = actions.clone(), frames_of(PAST).start
    swapped[:, [first, first + 1]] = actions[:, [first + 1, first]]
    difference = (row.predict(net, codes, actions) - row.predict(net, codes, swapped)).abs().flatten(2).amax((0, 2))
    assert (difference > 1e-4).all()


@every_row
def test_a_base_model_with_tied_weights_equals_the_sharing_variant(row: Row) -> None:
    if row.variant not in ("modality_shared", "fully_shared"):
        pytest.skip("shares nothing that base does not")
    shared, tied = row.build(), Row(row.family, "base", row.attention, row.aided).build()
    for block in tied.backbone.blocks[shared.config.unshared_depth :]:
        if row.family == "flow" and not row.aided:  # only the paper's base blocks normalise queries and keys
            block.attention[0].query_norm = block.attention[0].key_norm = NoNorm()
    weights = tied.state_dict()
    for name, value in shared.state_dict().items():
        weights.update(dict.fromkeys(_base_names(name, weights), value))
    tied.load_state_dict(weights)
    expected, got = row.predict(shared, *row.clip()), row.predict(tied, *row.clip())
    if row.family == "masked":
        assert torch.equal(got, expected)
    else:  # the first patch of weights sees other shapes: past and future video apart
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


@every_row
def test_cached_equals_uncached_where_the_table_allows_it_and_is_rejected_with_the_reason_elsewhere(row: Row) -> None:
    net, (codes, actions) = row.build(), row.clip(batch=3)
    codes[:, :PAST], actions[:, : 1 + (PAST - 1) * FACTOR] = codes[:1, :PAST], actions[:1, : 1 + (PAST - 1) * FACTOR]
    if row.attention in CACHEABLE:
        full = row.predict(net, codes, actions)
        torch.testing.assert_close(row.predict_cached(net, codes, actions), full, rtol=0, atol=2e-5 * full.abs().max())
    else:
        with pytest.raises(BadConfig, match=r"past_\w+ (of latent 0 hears|is modulated by a time that varies)"):
            row.predict_cached(net, codes, actions)


@pytest.mark.parametrize(
    ("row", "solver", "scale"),
    [
        *((row, "euler", scale) for row in FLOW_ROWS for scale in (1.0, 3.0)),
        (Row("flow", "split", "clean_context"), "heun", 3.0),
    ],
    ids=str,
)
def test_a_drawn_future_is_the_solvers_loop_by_hand_with_the_past_settled_or_not(
    row: Row, solver: str, scale: float
) -> None:
    net, (latents, actions) = row.build(), row.clip(batch=2)
    now, predictor = frames_of(PAST).start, FlowPredictor(net)
    past = predictor.observe(latents[:1, :PAST], actions[:1, :now])
    assert (past.cache is not None) == (row.attention in CACHEABLE)
    sampling, seeds = Sampling(steps=3, solver=solver, guidance_scale=scale), (5, 6)
    noise = CandidateGenerator(seeds, torch.device("cpu")).normal((2, LATENTS - PAST, *latents.shape[2:]))
    expected = _drawn_by_hand(net, noise, latents[:1, :PAST], actions[:1, :now], actions[:, now:], sampling)
    for encoded in (past, replace(past, cache=None)):
        generator = CandidateGenerator(seeds, torch.device("cpu"))
        with torch.no_grad():
            future = predictor.predict(
                encoded, actions[:, now:], candidates=2, num_latents=2, sampling=sampling, generator=generator
            )
        torch.testing.assert_close(future.latents, expected[:, :2], rtol=0, atol=2e-5 * expected.abs().max())


@torch.no_grad()
def _drawn_by_hand(
    net: Any, x: torch.Tensor, past: torch.Tensor, now: torch.Tensor, later: torch.Tensor, sampling: Sampling
) -> torch.Tensor:
    """The latents of two candidates of one past, from noise `x`; guidance is away from what a past of nothing gives."""
    past, actions = past.expand(2, -1, -1, -1, -1), torch.cat([now.expand(2, -1, -1), later], dim=1)

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
    ("row", "init"),
    [*((row, "fan_in") for row in ROWS), *((row, PAPER_INIT[row.family]) for row in PAPER_ROWS)],
    ids=str,
)
def test_the_loss_falls_on_one_batch(row: Row, init: str) -> None:
    net, (codes, actions) = row.build(redrawn=False, init=init, depth=2).train(), row.clip(batch=2)
    optimiser = torch.optim.Adam([p for p in net.parameters() if p.requires_grad], 5e-3)
    losses = []
    for step in range(40):
        loss, _ = net.loss(codes, actions, torch.Generator().manual_seed(step % 2))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert sum(losses[-5:]) < 0.5 * sum(losses[:5])


@every_row
def test_exactly_the_parameters_that_no_gradient_reaches_are_frozen_and_all_are_of_the_last_block(row: Row) -> None:
    net, (codes, actions) = row.build().train(), row.clip(batch=4)
    frozen = {name for name, p in net.named_parameters() if not p.requires_grad}
    net.requires_grad_(True)
    net.loss(codes, actions, torch.Generator().manual_seed(0))[0].backward()
    assert frozen == {name for name, p in net.named_parameters() if p.grad is None or not p.grad.any()}
    assert {name.split(".")[2] for name in frozen} <= {str(net.config.depth - 1)}


@every_row
def test_the_same_seed_gives_the_same_loss_bit_for_bit_and_another_another(row: Row) -> None:
    losses = []
    for seed in (3, 3, 4):
        net, clip = row.build(seed=1), row.clip(batch=2)
        losses.append(net.loss(*clip, torch.Generator().manual_seed(seed))[0])
    assert torch.equal(losses[0], losses[1]) and not torch.equal(losses[0], losses[2])


def test_the_table_in_docs_is_the_one_that_the_code_prints_and_holds_the_counts_of_the_paper() -> None:
    rows, root = summaries(), Path(__file__).parents[2]
    assert parameters(rows) == PAPER_COUNTS == json.loads((root / "benchmarks/results/variants.json").read_text())
    assert markdown(rows) in (root / "docs/models.md").read_text(), "run `make variants` and copy the table"


def test_every_family_of_the_library_is_in_the_table() -> None:
    assert {row.family for row in ROWS} == set(FAMILIES) == set(PAPER_COUNTS)
