"""Writes the files of an evaluation."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hwm_core.evaluation.checkpoint_evaluation import CheckpointEvaluation, caption
from hwm_core.evaluation.comparison import differences, differences_table
from hwm_core.evaluation.examples import examples
from hwm_core.evaluation.html_report import html_report
from hwm_core.evaluation.model_card import model_card
from hwm_core.io.atomic import new_file
from hwm_core.visualization import contact_sheet, png_bytes


def folder_of(out: Path, label: str, of: int) -> Path:
    """The folder of one of `of` checkpoints: `out` itself for a single checkpoint, else a folder in `out`."""
    return out if of == 1 else out / label


def write_reports(out: str | Path, evaluated: Sequence[CheckpointEvaluation], num_examples: int = 4) -> list[Path]:
    """Write all files atomically and return their paths.

    One checkpoint: evaluation.json, table.md, contact_sheet.png, evaluation.html, MODEL_CARD.md. Several
    checkpoints: each has a folder with these files except the page; `out` has the page, and evaluation.json and
    table.md of all checkpoints with their differences.
    """
    out, heading = Path(out), f"Evaluation on {len(evaluated[0].evaluation.episodes)} episodes"
    files: dict[Path, bytes] = {}
    for one in evaluated:
        folder, config = folder_of(out, one.label, len(evaluated)), one.evaluation.config
        sheet = contact_sheet(
            heading,
            caption(one.world_model, config.sampling),
            examples(one.evaluation, one.result, num_examples),
            one.world_model.frame_rate_hz,
        )
        files[folder / "evaluation.json"] = _json(one.to_json())
        files[folder / "table.md"] = one.markdown().encode()
        files[folder / "contact_sheet.png"] = png_bytes(sheet)
        files[folder / "MODEL_CARD.md"] = model_card(one).encode()
    if len(evaluated) > 1:
        found = differences(evaluated)
        together = {
            "checkpoints": {one.label: one.to_json() for one in evaluated},
            "differences": [one.to_json() for one in found],
        }
        tables = [f"# {one.label}\n\n{one.markdown()}" for one in evaluated]
        files[out / "evaluation.json"] = _json(together)
        files[out / "table.md"] = "\n".join([*tables, differences_table(found).markdown()]).encode()
    files[out / "evaluation.html"] = html_report(heading, evaluated).encode()
    for path, data in files.items():
        with new_file(path) as partial:
            partial.write_bytes(data)
    return list(files)


def _json(document: Mapping[str, Any]) -> bytes:
    return (json.dumps(document, indent=2, allow_nan=False) + "\n").encode()
