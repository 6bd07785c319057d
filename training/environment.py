"""Records the code revision, the packages and the machine of a run."""

import os
import platform
import shlex
import subprocess
import sys
from datetime import datetime, timezone
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import torch

from hwm_core.io.atomic import write_json
from hwm_core.io.json_files import JsonFields


class _Starts(JsonFields):
    starts: list[dict[str, Any]]


def add_start(folder: Path, revision: str, resumed: bool) -> None:
    """Append this start of a run to `starts` in environment.json; a new run begins a new file.

    Raises BadBag where the file of a resumed run is truncated.
    """
    path = folder / "environment.json"
    starts = _Starts.from_json(path, "Remove the file and run again.").starts if resumed and path.exists() else []
    write_json(path, {"starts": [*starts, {"resumed": resumed, "revision": revision, **describe_environment()}]})


def describe_environment() -> dict[str, Any]:
    """Time, command line, Python, packages and machine, as plain JSON types."""
    return {
        "time": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "command": shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        "python": platform.python_version(),
        "system": platform.platform(),
        "processor": processor_name(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "gpus": [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())],
        "world_size": int(os.environ.get("WORLD_SIZE", "1")),
        "packages": dict(sorted({one.metadata["Name"]: one.version for one in distributions()}.items())),
    }


def processor_name() -> str:
    """The processor's model name where the system reports it, else the machine type."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def revision() -> str:
    """The git revision of this code, with `-dirty` if it was changed; `unknown` outside a repository."""
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
