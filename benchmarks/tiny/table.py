"""The tables of the tiny comparison."""

from collections.abc import Sequence
from pathlib import Path

from benchmarks.predictions import PREDICTIONS, TITLES
from benchmarks.tables import table
from benchmarks.tiny.claims import verdicts
from benchmarks.tiny.runs import CHOSEN_BY, FAMILIES, THROUGHPUT, VARIANTS, Run, missing, read_runs
from benchmarks.tiny.throughput import Throughput, read_throughput
from hwm_core.evaluation.table import gain


def report(folder: Path) -> str:
    """Markdown: the results, the verdicts on the claims, and the missing runs."""
    runs, throughput = read_runs(folder), read_throughput(folder / THROUGHPUT)
    quality = [_conditions(runs), _quality(runs)] if runs else ["No run has finished yet."]
    parts = [*quality, _speed(throughput) if throughput else "", *verdicts(runs), _missing(runs)]
    return "\n\n".join(part for part in parts if part)


def _conditions(runs: Sequence[Run]) -> str:
    n, first = runs[0].document["n"], runs[0]
    firsts = [next((run for run in runs if run.family == family), None) for family in FAMILIES]
    ceilings = [
        f"the tokenizer of the {run.family} models alone: {run.psnr_text('tokenizer')}" for run in firsts if run
    ]
    return (
        f"{n['windows']} windows of {n['episodes']} held-out episodes. PSNR in dB at "
        f"{' / '.join(map(str, first.horizons))} frames. Copy last frame: {first.psnr_text('copy_last')}; "
        f"{'; '.join(ceilings)}."
    )


def _quality(runs: Sequence[Run]) -> str:
    horizon = CHOSEN_BY[1]
    with_action_gain = ("mean_prediction", "mean_of_4")
    rows = [
        [
            run.family,
            f"`{run.variant}`",
            str(run.seed),
            f"{run.document['parameters']:,}",
            f"{run.document['steps']:,}",
            *(run.psnr_text(prediction) for prediction in PREDICTIONS),
            *(gain(run.action_gain(prediction, horizon)) for prediction in with_action_gain),
        ]
        for run in runs
    ]
    header = ["family", "variant", "seed", "parameters", "steps", *(TITLES[prediction] for prediction in PREDICTIONS)]
    header += [f"{TITLES[name]}: true above shuffled actions, {horizon} frames" for name in with_action_gain]
    return table(header, rows)


def _speed(throughput: Throughput) -> str:
    rows = []
    for family in FAMILIES:
        for variant in VARIANTS:
            by_prediction = throughput.predictions_per_second(family, variant)
            rates = [by_prediction[prediction] for prediction in PREDICTIONS[:2]]
            rows.append(
                [
                    family,
                    f"`{variant}`",
                    f"{throughput.steps(family, variant):,}",
                    *(f"{rate['latents']:.1f} / {rate['frames']:.1f}" for rate in rates),
                ]
            )
    turns, steps = throughput.turns
    title = (
        f"Throughput, measured side by side in one run on one thread of {throughput.cpu}. Training steps in "
        f"{throughput.minutes:g} minutes: from the fastest of {turns} turns of {steps} steps. Predictions of 24 frames "
        "per second of processor time: 16 at once, the past already encoded; latents only / with the tokenizer's "
        "decoder."
    )
    header = ["family", "variant", f"steps in {throughput.minutes:g} minutes"]
    return f"{title}\n\n{table([*header, *(TITLES[prediction] for prediction in PREDICTIONS[:2])], rows)}"


def _missing(runs: Sequence[Run]) -> str:
    rows = [f"{family} {variant} --seed {seed}" for family, variant, seed in missing(runs)]
    return f"Still to run: {'; '.join(rows)}." if rows else ""
