"""The parts of a result with separate PSNR tables: all windows, still cameras, moved objects."""

from dataclasses import dataclass

from hwm_core.evaluation.result import EvaluationResult
from hwm_core.evaluation.window_results import Region


@dataclass(frozen=True)
class View:
    """Some of the windows, or some of their pixels."""

    key: str  # in JSON
    title: str
    result: EvaluationResult
    region: Region


def views(result: EvaluationResult) -> list[View]:
    """All windows; if only some have a still camera, also these; if object tracks are known, also moved objects."""
    found = [View("psnr_db", "All windows", result, "frame")]
    still = result.windows.still_camera
    if still.any() and not still.all():
        found.append(View("psnr_db_fixed_neck", "Neck fixed", result.only(still), "frame"))
    if result.measured.moved_pixels is not None:
        found.append(View("psnr_db_moved_objects", "Inside objects that moved more than 2 cm", result, "moved"))
    return found
