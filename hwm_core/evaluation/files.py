"""What an evaluation leaves in its folder."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hwm_core.evaluation.card import model_card
from hwm_core.evaluation.comparison import CheckpointEvaluation, caption, differences, differences_table
from hwm_core.evaluation.examples import examples
from hwm_core.evaluation.page import page
from hwm_core.io.atomic import new_file
from hwm_core.visualization import contact_sheet, png_bytes


def folder_of(out: Path, label: str, of: int) -> Path:
    """Where one of `of` checkpoints has its files: `out` itself, or a folder of its own in it."""
    return out if of == 1 else out / label


def write_reports(out: str | Path, evaluated: Sequence[CheckpointEvaluation], num_examples: int = 4) -> list[Path]:
    """Write all of it, each file whole or not at all, and return the paths.

    Of one checkpoint: evaluation.json, table.md, contact_sheet.png, evaluation.html, MODEL_CARD.md. Of several each has
    a folder with these but the page, and `out` holds evaluation.json and table.md with their differences, and the page.
    """
    out, heading = Path(out), f"{len(evaluated[0].evaluation.episodes)} episodes"
    files: dict[Path, bytes] = {}
    for one in evaluated:
        folder, config = folder_of(out, one.label, len(evaluated)), one.evaluation.config
        sheet = contact_sheet(
            heading,
            caption(one.world_model, config.sampling),
            examples(one.evaluation, one.result, num_examples),
            one.world_model.frame_rate_hz,
        )
        files[folder / "evaluation.json"] = _json(one.document())
        files[folder / "table.md"] = one.markdown().encode()
        files[folder / "contact_sheet.png"] = png_bytes(sheet)
        files[folder / "MODEL_CARD.md"] = model_card(one).encode()
    if len(evaluated) > 1:
        found = differences(evaluated)
        together = {
            "checkpoints": {one.label: one.document() for one in evaluated},
            "differences": [one.plain() for one in found],
        }
        tables = [f"# {one.label}\n\n{one.markdown()}" for one in evaluated]
        files[out / "evaluation.json"] = _json(together)
        files[out / "table.md"] = "\n".join([*tables, differences_table(found).markdown()]).encode()
    files[out / "evaluation.html"] = page(heading, evaluated).encode()
    for path, data in files.items():
        with new_file(path) as partial:
            partial.write_bytes(data)
    return list(files)


def _json(document: Mapping[str, Any]) -> bytes:
    return (json.dumps(document, indent=2, allow_nan=False) + "\n").encode()
