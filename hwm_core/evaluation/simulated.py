"""Fresh episodes of the simulated humanoid, with the ground truth of its objects."""

from collections.abc import Iterable

from hwm_core.data.recording.preprocessing import Preprocessing
from hwm_core.evaluation.objects import ObjectTracks
from hwm_core.sim.recorder import SimEpisode, simulate_episode
from hwm_core.types import Episode

FIRST_SEED = 2_000_000  # far from the seeds that are recorded to train and validate on


def held_out(
    seeds: Iterable[int], preprocessing: Preprocessing, seconds: float = 10.0
) -> tuple[list[Episode], dict[str, ObjectTracks]]:
    """Simulate one episode a seed; also where its objects were, by episode name.

    Raises:
        BadImage: the model's camera has another aspect than the simulated one.
        MissingGL: the machine cannot render offscreen.
    """
    episodes, objects = [], {}
    for seed in seeds:
        simulated = simulate_episode(seed, seconds=seconds, masks=True)
        episode = simulated.to_episode(preprocessing)
        episodes.append(episode)
        objects[episode.name] = object_tracks(simulated, preprocessing)
    return episodes, objects


def object_tracks(simulated: SimEpisode, preprocessing: Preprocessing) -> ObjectTracks:
    """Where the objects were at the frames of `simulated.to_episode(preprocessing)`; it was simulated with masks."""
    return ObjectTracks(simulated.positions_like(preprocessing), simulated.masks_like(preprocessing))
