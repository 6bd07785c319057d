"""New episodes of the simulated humanoid, with the true positions of its objects."""

from collections.abc import Iterable

from hwm_core.data.recording.preprocessing import Preprocessing
from hwm_core.evaluation.objects import ObjectTracks
from hwm_core.sim.recorder import SimEpisode, simulate_episode
from hwm_core.types import Episode


def held_out(seeds: Iterable[int], preprocessing: Preprocessing) -> tuple[list[Episode], dict[str, ObjectTracks]]:
    """Simulate one episode for each seed. Returns the episodes, and the object tracks by episode name.

    Raises:
        BadImage: the model's camera has another aspect ratio than the simulated camera.
        MissingGL: the machine cannot render offscreen.
    """
    episodes, objects = [], {}
    for seed in seeds:
        simulated = simulate_episode(seed, masks=True)
        episode = simulated.to_episode(preprocessing)
        episodes.append(episode)
        objects[episode.name] = object_tracks(simulated, preprocessing)
    return episodes, objects


def object_tracks(simulated: SimEpisode, preprocessing: Preprocessing) -> ObjectTracks:
    """The object tracks in the frames of `simulated.to_episode(preprocessing)`, for an episode simulated with masks."""
    return ObjectTracks(simulated.object_positions_of(preprocessing), simulated.object_masks_of(preprocessing))
