"""A film of an episode: the camera, what the controller expects, and the goal."""

from pathlib import Path

from hwm_core.evaluation.closed_loop.episode import ClosedLoopEpisode
from hwm_core.io.atomic import new_file
from hwm_core.visualization import VideoWriter, side_by_side

_HEIGHT = 240


def write_film(path: str | Path, episode: ClosedLoopEpisode, row: str, frame_rate_hz: float) -> None:
    """Write an MP4, atomically. The expected image belongs to the end of the newest plan."""
    kind, last = episode.task.kind, len(episode.frames) - 1
    expected = {decision.frame: decision.predicted for decision in episode.decisions}
    newest = episode.frames[0]
    with new_file(path) as partial, VideoWriter(partial, frame_rate_hz) as video:
        for frame, (image, error) in enumerate(zip(episode.frames, episode.errors, strict=True)):
            drawn = expected.get(frame)
            newest = newest if drawn is None else drawn
            panels = {"camera": image, "goal": episode.goal}
            if any(image is not None for image in expected.values()):
                panels = {"camera": image, "predicted end of plan": newest, "goal": episode.goal}
            length = f"{100 * error:.1f} cm" if kind.unit == "m" else f"{error:.3f} rad"
            caption = f"{row}, {kind.name}, seed {episode.task.seed}   {frame / frame_rate_hz:.2f} s   error {length}"
            video.write(side_by_side(panels, caption, frame / last, height=_HEIGHT))
