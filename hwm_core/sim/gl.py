"""Imports mujoco with an offscreen OpenGL that this machine has.

MuJoCo reads MUJOCO_GL once, when it is imported. So every module of hwm_core.sim imports mujoco from here. No other
module of the library reads environment variables.
"""

import ctypes.util
import os
from types import ModuleType

from hwm_core.errors import BadInput

_LIBRARIES = {"egl": "EGL", "osmesa": "OSMesa"}


class MissingGL(BadInput):
    """The machine has no library for offscreen rendering."""


def _import_mujoco() -> ModuleType:
    """The `mujoco` module with offscreen GL: the user's MUJOCO_GL, else EGL, else OSMesa.

    Without either, mujoco is imported without GL: physics works, and rendering raises `missing_gl`.
    """
    if "MUJOCO_GL" not in os.environ:
        present = [backend for backend, library in _LIBRARIES.items() if ctypes.util.find_library(library)]
        os.environ["MUJOCO_GL"] = present[0] if present else "off"
    # Mesa would start one thread per core, but episodes are recorded with one process per core.
    os.environ.setdefault("LP_NUM_THREADS", "0")
    import mujoco

    return mujoco


mujoco = _import_mujoco()


def missing_gl(reason: object) -> MissingGL:
    """The error for a machine that cannot render images."""
    return MissingGL(
        "Rendering the simulated head camera",
        expected="offscreen OpenGL through EGL or OSMesa",
        got=f"MUJOCO_GL={os.environ.get('MUJOCO_GL')} ({reason})",
        remedy="Install EGL (`apt install libegl1 libgl1-mesa-dri`) or OSMesa (`apt install libosmesa6`); leave "
        "MUJOCO_GL unset, or set it to `egl` or `osmesa`.",
    )
