"""Measured answers to faults: `pytest test/ros/test_faults.py --record-faults` writes them, one by one."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.node.served_node import machine_load
from benchmarks.record import RESULTS, write_result

PATH = RESULTS / "faults.json"
COMMAND = "pytest -m ros test/ros/test_faults.py --record-faults"


def record_fault(row: Mapping[str, Any], path: Path = PATH) -> None:
    """Add a row, or replace the one of the same group and name.

    Args:
        row: "group", "name", "sent", "answered", and the measured "answered_s" and "recovered_s".
        path: result file.
    """
    rows = json.loads(path.read_text())["rows"] if path.exists() else []
    kept = {(one["group"], one["name"]): one for one in rows}
    kept[row["group"], row["name"]] = {**row, "load_1_min": machine_load()["load_1_min"]}
    write_result(path, command=COMMAND, n={"faults": len(kept)}, numbers={"rows": [*kept.values()]})
