"""One episode, or one ranking, as a job of a worker process."""

from dataclasses import dataclass
from pathlib import Path

from hwm_core.evaluation.closed_loop.episode import run_episode
from hwm_core.evaluation.closed_loop.film import write_film
from hwm_core.evaluation.closed_loop.ranking import rank_candidates
from hwm_core.evaluation.closed_loop.ranking_record import RankingRecord
from hwm_core.evaluation.closed_loop.record import EpisodeRecord
from hwm_core.evaluation.closed_loop.resources import ResourcesSpec
from hwm_core.evaluation.closed_loop.rows import ROWS
from hwm_core.sim.model import SimHumanoid
from hwm_core.sim.tasks.table import TASKS


@dataclass(frozen=True)
class EpisodeJob:
    """One episode of one row."""

    row: str
    task: str
    seed: int
    resources: ResourcesSpec
    films: Path | None  # folder

    def __call__(self) -> EpisodeRecord:
        """Run the episode, and film it into `films`. Raises as `run_episode` and `Resources`."""
        resources, row = self.resources.load(), ROWS[self.row]
        view = resources.view
        with SimHumanoid(self.seed) as robot:
            episode = run_episode(
                robot,
                view,
                resources.space,
                TASKS[self.task],
                self.seed,
                lambda situation, truth: row.make(situation, truth, resources),
                with_predictions=self.films is not None,
            )
        if self.films is not None:
            outcome = "success" if episode.success else "failure"
            path = self.films / f"{self.row}_{self.task}_{self.seed}_{outcome}.mp4"
            write_film(path, episode, self.row, view.frame_rate_hz)
        return EpisodeRecord.of(episode)


@dataclass(frozen=True)
class RankingJob:
    """One ranking at one place."""

    row: str  # the place
    task: str
    seed: int
    resources: ResourcesSpec
    candidates: int

    def __call__(self) -> RankingRecord:
        """Rank the candidates. Raises as `rank_candidates`."""
        resources = self.resources.load()
        with SimHumanoid(self.seed) as robot:
            return rank_candidates(
                robot, resources.model, TASKS[self.task], self.seed, self.row, self.candidates, resources.config
            )
