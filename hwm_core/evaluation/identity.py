"""Identifies the data of an evaluation."""

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from hwm_core.types import Episode


def episodes_identity(episodes: Sequence[Episode]) -> dict[str, Any]:
    """The number of episodes and the sha256 of their content, JSON-serialisable."""
    digest = hashlib.sha256()
    for episode in episodes:
        digest.update(f"{episode.name} {episode.names} {episode.frames.shape}".encode())
        for values in (episode.stamps_ns, episode.segments, episode.states, episode.commands):
            digest.update(b"-" if values is None else np.ascontiguousarray(values).tobytes())
        for frame in episode.frames:
            digest.update(np.ascontiguousarray(frame).data)
    return {"count": len(episodes), "sha256": digest.hexdigest()}
