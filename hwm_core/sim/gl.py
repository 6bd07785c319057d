"""Importing mujoco with an offscreen GL that this machine has.

MuJoCo reads MUJOCO_GL once, when it is imported. So every module of this room takes mujoco from here, the one place of
the library that touches the environment.
"""

import ctypes.util
import os
from types import ModuleType

from hwm_core.errors import BadInput

_LIBRARIES = {"egl": "EGL", "osmesa": "OSMesa"}


class MissingGL(BadInput):
    """No library to render offscreen with."""


def _import_mujoco() -> ModuleType:
    """The `mujoco` module, bound to offscreen GL: the user's MUJOCO_GL, or the first of EGL and OSMesa that is here.

    Where there is neither, mujoco is imported without GL: physics works, and `no_gl` is what rendering should raise.
    """
    if "MUJOCO_GL" not in os.environ:
        present = [backend for backend, library in _LIBRARIES.items() if ctypes.util.find_library(library)]
        os.environ["MUJOCO_GL"] = present[0] if present else "off"
    # Mesa would start a thread for every core; episodes are recorded in one process for every core instead.
    os.environ.setdefault("LP_NUM_THREADS", "0")
    import mujoco

    return mujoco


mujoco = _import_mujoco()


def no_gl(reason: object) -> MissingGL:
    """The error for a machine where no picture can be rendered."""
    return MissingGL(
        "the simulator cannot render its head camera",
        expected="offscreen OpenGL by EGL or OSMesa",
        got=f"MUJOCO_GL={os.environ.get('MUJOCO_GL')} ({reason})",
        remedy="Install one, `apt install libegl1 libgl1-mesa-dri` or `apt install libosmesa6`; leave MUJOCO_GL unset "
        "or set it to the one that works.",
    )
