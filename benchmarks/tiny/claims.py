"""Two claims of the paper, and the verdict of the tiny comparison on each."""

import math
from collections.abc import Sequence

import numpy as np

from benchmarks.model_result import interval
from benchmarks.predictions import PREDICTIONS, TITLES
from benchmarks.tables import table
from benchmarks.tiny.runs import CHOSEN_BY, FAMILIES, SEEDS, VARIANTS, Run, best, seeds_of
from hwm_core.evaluation.table import gain
from hwm_core.metrics.bootstrap import Interval

SMALL_LOSS = 0.5  # dB; in the paper's table the variants differ by at most 0.71 dB (masked) and 0.1 dB (flow)


def verdicts(runs: Sequence[Run]) -> list[str]:
    """Markdown: one section per claim that the runs can decide, and the range over seeds."""
    return [part for part in (_masked_against_flow(runs), _sharing(runs), _seeds(runs)) if part]


def _masked_against_flow(runs: Sequence[Run]) -> str:
    """The best variant of each family: the mean difference over the seeds that both variants have."""
    masked, flow = (best(runs, family) for family in FAMILIES)
    if masked is None or flow is None:
        return ""
    pairs = [
        (a, b) for a in seeds_of(runs, "masked", masked) for b in seeds_of(runs, "flow", flow) if a.seed == b.seed
    ]  # never empty: both have the first seed
    rows = []
    for prediction in PREDICTIONS:
        for horizon in pairs[0][0].horizons:
            differences = [a.by_episode(prediction, horizon) - b.by_episode(prediction, horizon) for a, b in pairs]
            difference = interval(np.mean(differences, axis=0))
            by_seed = ", ".join(f"{each.mean():+.2f}" for each in differences)
            agreed = len({bool(each.mean() > 0) for each in differences}) == 1
            verdict = _verdict(difference, above=0.0) if agreed else "undecided: seeds differ"
            rows.append([TITLES[prediction], str(horizon), gain(difference), by_seed, verdict])
    return (
        f"**Claim: masked is better than flow.** Masked `{masked}` minus flow `{flow}`. Each is the best variant of "
        f"its family: its {TITLES[CHOSEN_BY[0]]} has the highest PSNR at {CHOSEN_BY[1]} frames with the first seed. "
        "dB, 95 % interval over episodes.\n\n"
        + table(["prediction", "frames", "masked above flow", "by seed", "verdict"], rows)
        + f"\n\nMasked minus flow for each variant, of equal size: {_by_variant(runs)} dB."
    )


def _by_variant(runs: Sequence[Run]) -> str:
    """Masked minus flow for each variant, with the first seed."""
    first = {(run.family, run.variant): run.by_episode(*CHOSEN_BY) for run in runs if run.seed == SEEDS[0]}
    return ", ".join(f"`{name}` {gain(interval(first['masked', name] - first['flow', name]))}" for name in VARIANTS)


def _sharing(runs: Sequence[Run]) -> str:
    """The PSNR that each variant loses against base, with the first seed."""
    prediction, horizon = CHOSEN_BY
    rows = []
    for family in FAMILIES:
        first = {run.variant: run for run in runs if run.family == family and run.seed == SEEDS[0]}
        for variant in VARIANTS:
            if variant == "base" or not {variant, "base"} <= set(first):
                continue
            base, other = first["base"], first[variant]
            loss = interval(base.by_episode(prediction, horizon) - other.by_episode(prediction, horizon))
            saved = 1 - other.document["parameters"] / base.document["parameters"]
            rows.append([family, f"`{variant}`", f"{saved:.0%}", gain(loss), _verdict(loss, below=SMALL_LOSS)])
    if not rows:
        return ""
    return (
        f"**Claim: sharing weights costs little**, here less than {SMALL_LOSS} dB. Base minus variant, "
        f"{TITLES[prediction]} at {horizon} frames, first seed. dB, 95 % interval over episodes.\n\n"
        + table(["family", "variant", "parameters saved", "base above variant", "verdict"], rows)
    )


def _seeds(runs: Sequence[Run]) -> str:
    """The PSNR range of equal models with different seeds. It is the noise of a comparison of single runs."""
    prediction, horizon = CHOSEN_BY
    spreads = []
    for family in FAMILIES:
        for variant in VARIANTS:
            values = [run.psnr(prediction, horizon) for run in seeds_of(runs, family, variant)]
            if len(values) > 1:
                spreads.append(f"{family} `{variant}` {max(values) - min(values):.2f} dB over {len(values)} seeds")
    if not spreads:
        return ""
    return (
        f"Range over seeds, {TITLES[prediction]} at {horizon} frames: {'; '.join(spreads)}. The intervals above are "
        "over episodes and do not include this range. A smaller difference between two single runs is not evidence "
        "of a better variant."
    )


def _verdict(found: Interval, *, above: float = -math.inf, below: float = math.inf) -> str:
    """Confirmed if the whole interval is between the bounds, refuted if none of it is, else undecided."""
    if found.low is None or found.high is None:
        return "undecided"
    if above < found.low and found.high < below:
        return "confirmed"
    return "refuted" if found.high <= above or below <= found.low else "undecided"
