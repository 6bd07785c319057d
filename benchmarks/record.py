"""What stands beside every figure: on which machine, by which command, over how many and when it was measured."""

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
    """What the figures depend on beside the code."""
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
    """The command to repeat; of a path its last name only."""
    return " ".join(
        ["python -m", module, *(Path(word).name if Path(word).is_absolute() else word for word in arguments)]
    )


def write_result(
    path: Path, *, command: str, n: Mapping[str, int], figures: Mapping[str, Any], device: str = "cpu"
) -> None:
    """Write one result, whole or not at all."""
    document = {
        "command": command,
        "date": datetime.now(timezone.utc).date().isoformat(),
        "machine": machine(device),
        "n": dict(n),
        **figures,
    }
    text = json.dumps(document, indent=1, allow_nan=False)
    text = re.sub(
        r"\[[^][{}]+]", lambda found: re.sub(r"\s+", " ", found[0]).replace("[ ", "[").replace(" ]", "]"), text
    )
    with new_file(path) as partial:
        partial.write_text(text + "\n")
