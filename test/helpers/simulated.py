"""Short simulated episodes, and what is in them as one number."""

from hashlib import sha256

from hwm_core.sim.recorder import SimEpisode

SMALL = {"seconds": 1.0, "camera_size": 32}


def digest(episode: SimEpisode) -> str:
    arrays = (episode.frames, episode.stamps_ns, episode.states, episode.commands, episode.object_positions)
    return sha256(b"".join(array.tobytes() for array in arrays)).hexdigest()
