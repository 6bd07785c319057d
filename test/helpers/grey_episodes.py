"""Episodes whose frames count in grey values, for tests of windows and stores."""

import numpy as np

from hwm_core.data.recording.preprocessing import Preprocessing
from hwm_core.data.robot.manifest import fit_manifest
from hwm_core.types import Episode

PREPROCESSING = Preprocessing(source_aspect=1.0, height=8, width=8)


def episode(name="run", lengths=(20,), commands=True, names=("a", "b")):
    """Frame t has the grey value t, state (t, 2 t) and command (-t, 0); segments have the given lengths."""
    t = np.arange(sum(lengths))
    return Episode(
        name=name,
        frames=np.broadcast_to(t[:, None, None, None], (len(t), 8, 8, 3)).astype(np.uint8),
        stamps_ns=t * 33_333_333,
        segments=np.repeat(np.arange(len(lengths)), lengths).astype(np.int32),
        names=names,
        states=np.stack([t, 2 * t], axis=1).astype(np.float32),
        commands=np.stack([-t, 0 * t], axis=1).astype(np.float32) if commands else None,
    )


def manifest(kind="states", names=("a", "b")):
    """A manifest with mean 0 and standard deviation 1, which keeps the values."""
    return fit_manifest("robot", kind, names, ("rad",) * len(names), np.array([[-1.0], [1.0]]).repeat(len(names), 1))
