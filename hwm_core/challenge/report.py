"""The numbers of a track for people: tables and a model card, from its report."""

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


def no_donors(what: str) -> Unavailable:
    """Why there is no row `shuffled`."""
    return Unavailable("shuffled", f"one of the {what} alone: there is no other motion", "Judge two or more.")


def compression_tables(report: Report) -> list[Table]:
    """Rows and baselines, and how many nats the model saves."""
    top = next(key for key in report["rows"]["model"] if key.startswith("top_"))
    columns = {top: top.replace("top_", "Top-").replace("_ce", " CE"), **_NATS}
    lines = [[title(row), *(_nats(numbers[key]) for key in columns)] for row, numbers in report["rows"].items()]
    base = report["baselines"]
    copied = {top: base["copy_last"], "ce": base["copy_last"], "accuracy": base["copy_last_accuracy"]}
    uniform = {top: base["uniform"], "ce": base["uniform"]}
    for name, numbers in {"copy last grid": copied, "uniform": uniform}.items():
        lines.append([name, *(_nats(numbers.get(key)) for key in columns)])
    saved = {_over(other): Interval(**interval) for other, interval in report["gain_over"].items()}
    gains = [[f"model below {other}", gain(interval, 3)] for other, interval in saved.items()]
    return [
        Table("Nats a token", [_counted(report, "samples"), *columns.values()], lines),
        Table("What the model saves", ["nats a token", columns[top]], gains),
    ]


def compression_card(model: Described, report: Report) -> str:
    """Markdown."""
    settings = report["settings"]
    protocol = [
        "1X World Model Challenge, compression: the codes of the grids to come, from past grids and all actions.",
        "Top-k CE: a code among the k likeliest costs -log p, any other -log of an even share of what these left.",
        f"Distributions: {settings['sampling']}; seed {report['seed']}; {settings['arithmetic']['dtype']}.",
    ]
    limits = [
        *_few(report),
        *_not_shown("nats a token", report["gain_over"]),
        "1X's scorer of v2.0 is not published: what it takes for a code outside the 500 is not known.",
        "The rows `teacher forced` hear the true grids before each one: bounds, and no predictions.",
    ]
    return card(
        model, compression_tables(report), data=_data(report, "samples"), protocol=_protocol(protocol), limits=limits
    )


def sampling_tables(report: Report) -> list[Table]:
    """Rows, and what they are above others."""
    rows = report["rows"]
    lines = [[title(row), *(f"{numbers[key]:.3f}" for key in _DECIBELS)] for row, numbers in rows.items()]
    gains = [
        [f"{title(row)} above {title(other)}", gain(Interval(**interval))]
        for row, numbers in rows.items()
        for other, interval in numbers["gain_over"].items()
    ]
    return [
        Table("The frame 2 s ahead", [_counted(report, "moments"), *_DECIBELS.values()], lines),
        Table("Differences", ["PSNR", "dB"], gains),
    ]


def sampling_card(model: Described, report: Report) -> str:
    """Markdown."""
    track = report["settings"]["track"]
    protocol = [
        f"1X World Model Challenge, sampling: of 17 frames and 77 states the 77th frame, at {track['side']} px.",
        "The row `model` is one sample; a mean has so many samples, the single one among them.",
        f"Futures: {track['sampling']}; seed {report['seed']}. Handed in: {report['settings']['handed_in']}.",
    ]
    ceiling = decimals(report["rows"]["resized"]["psnr_db"])
    limits = [
        *_few(report),
        *_not_shown("dB", report["rows"]["model"]["gain_over"]),
        f"The truth at the model's own size and back reaches {ceiling} dB: its own pictures can do no better.",
        "PSNR rewards means and blur, which look like no picture: see SSIM beside it, and the pictures.",
    ]
    return card(
        model, sampling_tables(report), data=_data(report, "moments"), protocol=_protocol(protocol), limits=limits
    )


def _protocol(lines: list[str]) -> Iterator[str]:
    yield from lines
    yield "Shuffled: another take's motion, played from the own state."
    yield f"Intervals are of 95 %: a paired bootstrap over takes, where there are {MIN_EPISODES} or more."


def _data(report: Report, what: str) -> Iterator[str]:
    yield f"{_counted(report, what)}; what identifies them: {report['settings']['data']}."


def _few(report: Report) -> Iterator[str]:
    if report["takes"] < MIN_EPISODES:
        yield f"Fewer than {MIN_EPISODES} takes: there are no intervals, and no difference is shown beyond these takes."
    for missing, why in report["unavailable"].items():
        yield str(Unavailable(missing, why["unavailable"], why["remedy"]))


def _not_shown(unit: str, gains: Mapping[str, Any]) -> Iterator[str]:
    for other, plain in gains.items():
        if not is_above_zero(interval := Interval(**plain)):
            yield f"Not shown to be better than {_over(other)}: {gain(interval, 3)} {unit}."


def _counted(report: Report, what: str) -> str:
    return f"{report[what]} {what} of {report['takes']} takes, seed {report['seed']}"


def _over(row: str) -> str:
    return "copying the last" if row == "copy_last" else title(row)


def _nats(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
