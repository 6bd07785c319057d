"""An evaluation as one HTML page, with its charts and images embedded."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from hwm_core.evaluation.checkpoint_evaluation import CheckpointEvaluation, caption
from hwm_core.evaluation.comparison import differences, differences_table
from hwm_core.evaluation.condition_names import explained, is_sampled
from hwm_core.evaluation.examples import extremes
from hwm_core.evaluation.frame_measures import MEASURES
from hwm_core.evaluation.json_report import conditions_json, sensitivity_json
from hwm_core.evaluation.table import Table
from hwm_core.evaluation.tables import all_tables
from hwm_core.visualization import bar_chart, contact_sheet, line_chart, png_bytes

_AHEAD = "frames ahead"
_MEASURES = {"psnr_db": "PSNR, dB", **MEASURES}


@dataclass(frozen=True)
class Figure:
    """An embedded image."""

    caption: str
    uri: str


@dataclass(frozen=True)
class _Section:
    """The part of the page about one checkpoint."""

    label: str
    facts: Sequence[tuple[str, str]]
    tables: Sequence[Table]
    figures: Sequence[Figure]


def html_report(heading: str, evaluated: Sequence[CheckpointEvaluation]) -> str:
    """The page of one or more checkpoints. The best, median and worst windows are predicted again."""
    together = None
    if len(evaluated) > 1:
        together = {"table": differences_table(differences(evaluated)), "figures": _compared(evaluated)}
    return str(
        _template().render(
            title=heading,
            subtitle=f"{evaluated[0].source}; protocol {evaluated[0].protocol}",
            together=together,
            sections=[_section(one) for one in evaluated],
        )
    )


def _section(evaluated: CheckpointEvaluation) -> _Section:
    config, result = evaluated.evaluation.config, evaluated.result
    facts = [
        ("checkpoint", caption(evaluated.world_model, config.sampling)),
        ("sha256", evaluated.world_model.sha256 or "-"),
        ("evaluated on", f"{len(result)} windows of {result.num_episodes} episodes, stride {config.stride}"),
        ("truth", {"camera": "the camera's frames", "tokenizer": "through the tokenizer"}[config.truth]),
        ("predictions", f"{config.sampling}; seed {config.seed}"),
        *((("samples", f"{config.sampling_of_samples}"),) if config.samples else ()),
        *((f"{metric} by", network) for metric, network in evaluated.evaluation.networks.items()),
        *((missing.metric, str(missing)) for missing in evaluated.unavailable),
    ]
    numbers = conditions_json(result, config)
    curves = {explained(condition): of_condition for condition, of_condition in numbers.items()}
    charts = [
        Figure(f"{name} at each frame ahead, mean over windows", _svg(chart))
        for measure, name in _MEASURES.items()
        if (chart := _chart(curves, measure)) is not None
    ]
    return _Section(
        evaluated.label,
        facts,
        all_tables(result, config),
        [*charts, *_sensitivity(evaluated), *_extremes(evaluated)],
    )


def _compared(evaluated: Sequence[CheckpointEvaluation]) -> list[Figure]:
    """The predictions of all models and the repeated last frame in one chart."""
    numbers = {one.label: conditions_json(one.result, one.evaluation.config) for one in evaluated}
    curves = {
        f"{label}: {explained(name)}": of_model[name]
        for label, of_model in numbers.items()
        for name in of_model
        if name == "model" or is_sampled(name)
    }
    curves[explained("copy_last")] = numbers[evaluated[0].label]["copy_last"]
    charts = ((name, _chart(curves, measure)) for measure, name in _MEASURES.items())
    return [Figure(f"{name}, side by side", _svg(chart)) for name, chart in charts if chart is not None]


def _chart(conditions: Mapping[str, Mapping[str, Any]], measure: str) -> str | None:
    curves = {label: numbers["by_frame"].get(measure) for label, numbers in conditions.items()}
    return None if None in curves.values() else line_chart(curves, _AHEAD, _MEASURES[measure])


def _sensitivity(evaluated: CheckpointEvaluation) -> list[Figure]:
    numbers = sensitivity_json(evaluated.result)
    if numbers is None:
        return []
    changes = {name: joint["mean_absolute_change"] for name, joint in numbers["joints"].items() if joint["windows"]}
    how = f"each joint perturbed by its standard deviation, {numbers['windows']} windows"
    return [Figure(f"How far the predicted frames change: {how}", _svg(bar_chart(changes, "mean absolute change")))]


def _extremes(evaluated: CheckpointEvaluation) -> list[Figure]:
    model, sampling = evaluated.world_model, evaluated.evaluation.config.sampling
    figures = []
    for which, example in extremes(evaluated.evaluation, evaluated.result).items():
        sheet = contact_sheet(f"The {which} window", caption(model, sampling), [example], model.frame_rate_hz)
        figures.append(Figure(f"The {which} window by PSNR over all frames ahead", _uri(png_bytes(sheet), "png")))
    return figures


def _svg(chart: str) -> str:
    return _uri(chart.encode(), "svg+xml")


def _uri(data: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{b64encode(data).decode()}"


@cache
def _template() -> Any:
    from jinja2 import Environment, StrictUndefined

    source = Path(__file__).with_suffix(".html").read_text(encoding="utf-8")
    return Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True).from_string(source)
