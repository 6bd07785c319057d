"""The presets that ship: recipes in hwm_core/presets."""

from importlib.resources import files
from typing import Any


def preset_names() -> list[str]:
    """The names of the presets that ship with hwm_core."""
    return sorted(
        entry.name.removesuffix(".yaml") for entry in presets_folder().iterdir() if entry.name.endswith(".yaml")
    )


def presets_folder() -> Any:
    """The folder of the presets, as importlib.resources gives it."""
    return files("hwm_core") / "presets"
