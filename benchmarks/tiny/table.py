"""The tiny comparison as tables, and what it says of the paper's claims."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.predictions import DECODINGS, TITLES
from benchmarks.tables import table
from benchmarks.tiny.runs import CHOSEN_BY, FAMILIES, PACE, VARIANTS, Run, best, interval, missing, of, read_runs
from benchmarks.tiny.throughput import Pace, read_pace
from hwm_core.evaluation.table import gain
from hwm_core.metrics.bootstrap import Interval

LITTLE = 0.5  # dB; in the paper's table the variants lie within 0.71 dB (masked) and 0.1 dB (flow) of each other


def report(folder: Path) -> str:
    """Markdown: what was measured, what it means, what is missing."""
    runs, pace = read_runs(folder), read_pace(folder / PACE)
    quality = [_conditions(runs), _quality(runs)] if runs else ["No run has ended yet."]
    parts = [*quality, _speed(pace) if pace else "", *_claims(runs), _to_do(runs)]
    return "\n\n".join(part for part in parts if part)


def _conditions(runs: Sequence[Run]) -> str:
    n, first = runs[0].figures["n"], runs[0]
    firsts = [next((run for run in runs if run.family == family), None) for family in FAMILIES]
    ceilings = [f"the {run.family} models' tokenizer alone {_psnr(run, 'tokenizer')}" for run in firsts if run]
    return (
        f"{n['windows']} windows of {n['episodes']} held-out episodes. PSNR in dB at "
        f"{' / '.join(map(str, first.horizons))} frames. Copy last frame: {_psnr(first, 'copy_last')}; "
        f"{'; '.join(ceilings)}."
    )


def _quality(runs: Sequence[Run]) -> str:
    horizon = CHOSEN_BY[1]
    rows = [
        [
            run.family,
            f"`{run.variant}`",
            str(run.seed),
            f"{run.figures['parameters']:,}",
            f"{run.figures['steps']:,}",
            *(_psnr(run, decoding) for decoding in DECODINGS),
            *(gain(run.heard(decoding, horizon)) for decoding in ("mean_future", "mean_of_4")),
        ]
        for run in runs
    ]
    header = ["family", "variant", "seed", "parameters", "steps", *(TITLES[decoding] for decoding in DECODINGS)]
    heard = [f"true above shuffled, {TITLES[decoding]}, {horizon} frames" for decoding in ("mean_future", "mean_of_4")]
    return table([*header, *heard], rows)


def _speed(pace: Pace) -> str:
    rows = []
    for family in FAMILIES:
        for variant in VARIANTS:
            futures = pace.futures(family, variant)
            speeds = [futures[decoding] for decoding in DECODINGS[:2]]
            rows.append(
                [
                    family,
                    f"`{variant}`",
                    f"{pace.steps(family, variant):,}",
                    *(f"{speed['latents']:.1f} / {speed['pictures']:.1f}" for speed in speeds),
                ]
            )
    turns, each = pace.turns
    title = (
        f"The pace, side by side in one run on one thread of {pace.cpu}: training steps in {pace.minutes:g} minutes, "
        f"by the fastest of {turns} turns of {each} steps each; futures of 24 frames per second of "
        "processor time, 16 at a time, the past encoded before, latents alone / painted by the tokenizer too."
    )
    steps = f"steps in {pace.minutes:g} minutes"
    header = ["family", "variant", steps, *(TITLES[decoding] for decoding in DECODINGS[:2])]
    return f"{title}\n\n{table(header, rows)}"


def _claims(runs: Sequence[Run]) -> list[str]:
    return [part for part in (_masked_against_flow(runs), _sharing(runs), _seeds(runs)) if part]


def _masked_against_flow(runs: Sequence[Run]) -> str:
    """Best against best, the mean over seeds that both have."""
    masked, flow = (best(runs, family) for family in FAMILIES)
    if masked is None or flow is None:
        return ""
    pairs = [
        (a, b) for a in of(runs, "masked", masked) for b in of(runs, "flow", flow) if a.seed == b.seed
    ]  # never empty: both have the first seed
    rows = []
    for decoding in DECODINGS:
        for horizon in pairs[0][0].horizons:
            differences = [a.by_episode(decoding, horizon) - b.by_episode(decoding, horizon) for a, b in pairs]
            found = interval(np.mean(differences, axis=0))
            seeds = ", ".join(f"{each.mean():+.2f}" for each in differences)
            agreed = len({bool(each.mean() > 0) for each in differences}) == 1
            verdict = _verdict(found, above=0.0) if agreed else "undecided: seeds differ"
            rows.append([TITLES[decoding], str(horizon), gain(found), seeds, verdict])
    return (
        f"**Claim: masked beats flow.** Masked `{masked}` less flow `{flow}`, each the best of its family by its "
        f"{TITLES[CHOSEN_BY[0]]} at {CHOSEN_BY[1]} frames with the first seed; dB, 95 % over episodes.\n\n"
        + table(["decoding", "frames", "masked above flow", "by seed", "the claim is"], rows)
        + f"\n\nVariant against variant, of one size: {_by_variant(runs)} dB."
    )


def _by_variant(runs: Sequence[Run]) -> str:
    """Masked less flow, of every variant; first seeds."""
    first = {(run.family, run.variant): run.by_episode(*CHOSEN_BY) for run in runs if run.seed == 0}
    return ", ".join(f"`{one}` {gain(interval(first['masked', one] - first['flow', one]))}" for one in VARIANTS)


def _sharing(runs: Sequence[Run]) -> str:
    """What every variant loses to base, first seeds."""
    decoding, horizon = CHOSEN_BY
    rows = []
    for family in FAMILIES:
        first = {run.variant: run for run in runs if run.family == family and run.seed == 0}
        for variant in VARIANTS:
            if variant == "base" or not {variant, "base"} <= set(first):
                continue
            base, other = first["base"], first[variant]
            loss = interval(base.by_episode(decoding, horizon) - other.by_episode(decoding, horizon))
            saved = 1 - other.figures["parameters"] / base.figures["parameters"]
            rows.append([family, f"`{variant}`", f"{saved:.0%}", gain(loss), _verdict(loss, below=LITTLE)])
    if not rows:
        return ""
    return (
        f"**Claim: sharing costs little**, here less than {LITTLE} dB: base less variant, {TITLES[decoding]} at "
        f"{horizon} frames, first seeds; dB, 95 % over episodes.\n\n"
        + table(["family", "variant", "parameters saved", "base above it", "the claim is"], rows)
    )


def _seeds(runs: Sequence[Run]) -> str:
    """How far equal models lie apart that differ by their seed: what is smaller than that says nothing."""
    decoding, horizon = CHOSEN_BY
    spreads = []
    for family in FAMILIES:
        for variant in VARIANTS:
            values = [run.psnr(decoding, horizon) for run in of(runs, family, variant)]
            if len(values) > 1:
                spreads.append(f"{family} `{variant}` {max(values) - min(values):.2f} dB over {len(values)} seeds")
    if not spreads:
        return ""
    return (
        f"Seeds alone, {TITLES[decoding]} at {horizon} frames: {'; '.join(spreads)}. The intervals above are over "
        "episodes and do not hold this; a smaller difference between two single runs says nothing of their variants."
    )


def _to_do(runs: Sequence[Run]) -> str:
    rows = [f"{family} {variant} --seed {seed}" for family, variant, seed in missing(runs)]
    return f"Still to run: {'; '.join(rows)}." if rows else ""


def _verdict(found: Interval, *, above: float = -math.inf, below: float = math.inf) -> str:
    """Whether the whole interval lies where the claim wants it, or none of it does."""
    if found.low is None or found.high is None:
        return "undecided"
    if above < found.low and found.high < below:
        return "confirmed"
    return "refuted" if found.high <= above or below <= found.low else "undecided"


def _psnr(run: Run, row: str) -> str:
    return " / ".join(f"{run.psnr(row, horizon):.2f}" for horizon in run.horizons)
