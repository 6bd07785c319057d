"""Tables and a model card from the report of a track."""

from collections.abc import Iterator, Mapping
from typing import Any

from hwm_core.evaluation.condition_names import title
from hwm_core.evaluation.model_card import Described, card, is_above_zero
from hwm_core.evaluation.table import Table, decimals, gain
from hwm_core.metrics.bootstrap import MIN_EPISODES, Interval
from hwm_core.metrics.unavailable import Unavailable

Report = Mapping[str, Any]

_NATS = {"ce": "CE", "hit_rate": "hit rate", "ce_of_hits": "CE of hits", "accuracy": "accuracy"}
_DECIBELS = {"psnr_db": "PSNR, dB", "pooled_psnr_db": "pooled PSNR, dB", "ssim": "SSIM"}


def no_donors() -> Unavailable:
    """Why the condition `shuffled` is missing for a single sample."""
    return Unavailable("shuffled", "a single sample, and shuffled actions need another one", "Use two or more samples.")


def compression_tables(report: Report) -> list[Table]:
    """The numbers of every condition and baseline, and the gains of the model."""
    conditions = report["conditions"]
    top = next(key for key in conditions["model"] if key.startswith("top_"))
    columns = {top: top.replace("top_", "Top-").replace("_ce", " CE"), **_NATS}
    lines = [[title(name), *(_nats(numbers[key]) for key in columns)] for name, numbers in conditions.items()]
    base = report["baselines"]
    copied = {top: base["copy_last"], "ce": base["copy_last"], "accuracy": base["copy_last_accuracy"]}
    uniform = {top: base["uniform"], "ce": base["uniform"]}
    for name, numbers in {"copy last grid": copied, "uniform": uniform}.items():
        lines.append([name, *(_nats(numbers.get(key)) for key in columns)])
    gains = [
        [f"model below {_reference(other)}", gain(Interval(**interval), 3)]
        for other, interval in report["gain_over"].items()
    ]
    return [
        Table("Nats per token", [_counts(report), *columns.values()], lines),
        Table("Gain of the model", ["nats per token", columns[top]], gains),
    ]


def compression_card(model: Described, report: Report) -> str:
    """Markdown."""
    settings = report["settings"]
    protocol = [
        "1X World Model Challenge, compression: predict the codes of future grids from past grids and all actions.",
        "Top-k CE: a code among the k likeliest costs -log p. The other codes share the remaining probability evenly.",
        f"Sampling settings: {settings['sampling']}; seed {report['seed']}; {settings['arithmetic']['dtype']}.",
    ]
    limits = [
        *_missing(report),
        *_not_significant("nats per token", report["gain_over"]),
        "1X's scorer of v2.0 is not published; the cost of a code outside the 500 is unknown.",
        "The teacher forced conditions attend to the true past grids: they are bounds, not predictions.",
    ]
    return card(model, compression_tables(report), data=_data(report), protocol=_protocol(protocol), limits=limits)


def sampling_tables(report: Report) -> list[Table]:
    """The numbers of every condition, and the gains over the reference conditions."""
    conditions = report["conditions"]
    lines = [[title(name), *(f"{numbers[key]:.3f}" for key in _DECIBELS)] for name, numbers in conditions.items()]
    gains = [
        [f"{title(name)} above {title(other)}", gain(Interval(**interval))]
        for name, numbers in conditions.items()
        for other, interval in numbers["gain_over"].items()
    ]
    return [
        Table("The frame 2 s ahead", [_counts(report), *_DECIBELS.values()], lines),
        Table("Differences", ["PSNR", "dB"], gains),
    ]


def sampling_card(model: Described, report: Report) -> str:
    """Markdown."""
    track = report["settings"]["track"]
    protocol = [
        f"1X World Model Challenge, sampling: predict frame 77 from 17 frames and 77 states, at {track['side']} px.",
        "The condition `model` is one sampled future; it is also the first future of every mean.",
        f"Sampling settings: {track['sampling']}; seed {report['seed']}. Submitted: {report['settings']['submitted']}.",
    ]
    ceiling = decimals(report["conditions"]["resized"]["psnr_db"])
    limits = [
        *_missing(report),
        *_not_significant("dB", report["conditions"]["model"]["gain_over"]),
        f"The true frame reaches {ceiling} dB when it is resized to the model's resolution and back: a ceiling.",
        "PSNR rewards means and blur, which are not realistic: compare SSIM, and look at the predicted frames.",
    ]
    return card(model, sampling_tables(report), data=_data(report), protocol=_protocol(protocol), limits=limits)


def _protocol(lines: list[str]) -> Iterator[str]:
    yield from lines
    yield "Shuffled actions: the motion of another take, from the sample's own state."
    yield f"Intervals: 95 %, paired bootstrap over takes, given for {MIN_EPISODES} or more takes."


def _data(report: Report) -> Iterator[str]:
    yield f"{_counts(report)}; sha256 of the data {report['settings']['data']}."


def _missing(report: Report) -> Iterator[str]:
    if report["takes"] < MIN_EPISODES:
        yield f"Fewer than {MIN_EPISODES} takes: no intervals, and no conclusion beyond these takes."
    for missing, why in report["unavailable"].items():
        yield str(Unavailable(missing, why["unavailable"], why["remedy"]))


def _not_significant(unit: str, gains: Mapping[str, Any]) -> Iterator[str]:
    for other, plain in gains.items():
        if not is_above_zero(interval := Interval(**plain)):
            yield f"Not shown to be better than {_reference(other)}: {gain(interval, 3)} {unit}."


def _counts(report: Report) -> str:
    return f"{report['samples']} samples of {report['takes']} takes, seed {report['seed']}"


def _reference(condition: str) -> str:
    return "copying the last" if condition == "copy_last" else title(condition)


def _nats(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
