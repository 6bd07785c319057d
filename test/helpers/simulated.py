"""Settings of short simulated episodes, and a digest of an episode."""

from hashlib import sha256

from hwm_core.sim.recorder import SimEpisode

SMALL = {"seconds": 1.0, "camera_size": 32}


def digest(episode: SimEpisode) -> str:
    """A sha256 over all arrays."""
    arrays = (episode.frames, episode.stamps_ns, episode.states, episode.commands, episode.object_positions)
    return sha256(b"".join(array.tobytes() for array in arrays)).hexdigest()
