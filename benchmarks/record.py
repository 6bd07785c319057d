"""Result files: the measured numbers with their command, date, machine and sample counts."""

import json
import os
import platform
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import torch

from hwm_core.io.atomic import new_file
from training.environment import processor_name

RESULTS = Path(__file__).parent / "results"


def machine(device: str = "cpu") -> dict[str, Any]:
    """The hardware and software that the numbers depend on."""
    cuda = torch.device(device).type == "cuda"
    return {
        "cpu": processor_name(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "device": torch.cuda.get_device_name(device) if cuda else "cpu",
    }


def command_line(module: str, arguments: Sequence[str]) -> str:
    """The command that repeats the measurement. Absolute paths are cut to their last part."""
    return " ".join(
        ["python -m", module, *(Path(word).name if Path(word).is_absolute() else word for word in arguments)]
    )


def write_result(
    path: Path, *, command: str, n: Mapping[str, int], numbers: Mapping[str, Any], device: str = "cpu"
) -> None:
    """Write one result file atomically.

    Args:
        n: sample counts, such as episodes, windows or repeats.
        numbers: what was measured, JSON-serialisable.
        device: the torch device that was measured.
    """
    document = {
        "command": command,
        "date": datetime.now(timezone.utc).date().isoformat(),
        "machine": machine(device),
        "n": dict(n),
        **numbers,
    }
    text = json.dumps(document, indent=1, allow_nan=False)
    # Lists of numbers go on one line.
    text = re.sub(
        r"\[[^][{}]+]", lambda found: re.sub(r"\s+", " ", found[0]).replace("[ ", "[").replace(" ]", "]"), text
    )
    with new_file(path) as partial:
        partial.write_text(text + "\n")
