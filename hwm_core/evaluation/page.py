"""Results as one HTML page that needs nothing beside it: charts and pictures are inside."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from hwm_core.evaluation.comparison import CheckpointEvaluation, caption, differences, differences_table
from hwm_core.evaluation.examples import extremes
from hwm_core.evaluation.measures import MEASURES
from hwm_core.evaluation.report import every_table, rows_table, sensitivity_table, title
from hwm_core.evaluation.table import Table
from hwm_core.visualization import bar_chart, contact_sheet, line_chart, png_bytes

_AHEAD = "frames ahead"
_MEASURES = {"psnr_db": "PSNR, dB", **MEASURES}


@dataclass(frozen=True)
class Picture:
    """An embedded picture."""

    caption: str
    uri: str


@dataclass(frozen=True)
class _Part:
    """One checkpoint's part of the page."""

    label: str
    facts: Sequence[tuple[str, str]]
    tables: Sequence[Table]
    pictures: Sequence[Picture]


def page(heading: str, evaluated: Sequence[CheckpointEvaluation]) -> str:
    """The page of one or several checkpoints; the best, median and worst windows are predicted again."""
    together = None
    if len(evaluated) > 1:
        together = {"table": differences_table(differences(evaluated)), "pictures": _overlaid(evaluated)}
    return str(
        _template().render(
            title=heading,
            subtitle=f"{evaluated[0].source}; protocol {evaluated[0].protocol}",
            together=together,
            parts=[_part(one) for one in evaluated],
        )
    )


def _part(evaluated: CheckpointEvaluation) -> _Part:
    config, result = evaluated.evaluation.config, evaluated.result
    facts = [
        ("checkpoint", caption(evaluated.world_model, config.sampling)),
        ("sha256", evaluated.world_model.sha256 or "-"),
        ("judged on", f"{len(result)} windows of {result.num_episodes} episodes, stride {config.stride}"),
        ("truth", {"camera": "the camera's frames", "tokenizer": "through the tokenizer"}[config.truth]),
        ("draws", f"seed {config.seed}; {config.sampling}"),
        *((("samples", f"{config.drawing or config.sampling}"),) if config.samples else ()),
        *((f"{metric} by", network) for metric, network in evaluated.evaluation.networks.items()),
        *((missing.metric, str(missing)) for missing in evaluated.missing),
    ]
    numbers = rows_table(result, config)
    pictures = [
        Picture(f"{name} of the frame so many frames ahead, mean over windows", _svg(chart))
        for measure, name in _MEASURES.items()
        if (chart := _chart({title(row): row_numbers for row, row_numbers in numbers.items()}, measure)) is not None
    ]
    return _Part(
        evaluated.label,
        facts,
        every_table(result, config),
        [*pictures, *_sensitivity(evaluated), *_strips(evaluated)],
    )


def _overlaid(evaluated: Sequence[CheckpointEvaluation]) -> list[Picture]:
    """The models' own rows in one chart, with copying."""
    rows = {one.label: rows_table(one.result, one.evaluation.config) for one in evaluated}
    curves = {
        f"{label}: {title(row)}": numbers[row]
        for label, numbers in rows.items()
        for row in numbers
        if row in ("model", "single") or row.startswith("mean_of_")
    }
    curves[title("copy_last")] = rows[evaluated[0].label]["copy_last"]
    charts = ((name, _chart(curves, measure)) for measure, name in _MEASURES.items())
    return [Picture(f"{name}, side by side", _svg(chart)) for name, chart in charts if chart is not None]


def _chart(rows: Mapping[str, Mapping[str, Any]], measure: str) -> str | None:
    curves = {label: numbers["by_frame"].get(measure) for label, numbers in rows.items()}
    return None if None in curves.values() else line_chart(curves, _AHEAD, _MEASURES[measure])


def _sensitivity(evaluated: CheckpointEvaluation) -> list[Picture]:
    table = sensitivity_table(evaluated.result)
    if table is None:
        return []
    changes = {name: joint["mean_absolute_change"] for name, joint in table["joints"].items() if joint["windows"]}
    words = f"each joint off by its standard deviation, {table['windows']} windows"
    return [Picture(f"How far the predicted pictures move: {words}", _svg(bar_chart(changes, "mean absolute change")))]


def _strips(evaluated: CheckpointEvaluation) -> list[Picture]:
    model, sampling = evaluated.world_model, evaluated.evaluation.config.sampling
    pictures = []
    for which, example in extremes(evaluated.evaluation, evaluated.result).items():
        sheet = contact_sheet(f"The {which} window", caption(model, sampling), [example], model.frame_rate_hz)
        pictures.append(Picture(f"The {which} window by PSNR over all frames ahead", _uri(png_bytes(sheet), "png")))
    return pictures


def _svg(chart: str) -> str:
    return _uri(chart.encode(), "svg+xml")


def _uri(data: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{b64encode(data).decode()}"


@cache
def _template() -> Any:
    from jinja2 import Environment, StrictUndefined

    source = Path(__file__).with_name("page.html").read_text(encoding="utf-8")
    return Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True).from_string(source)
