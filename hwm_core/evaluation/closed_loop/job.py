"""One episode in a worker process: builds what the row needs, once for each process."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import torch

from hwm_core.evaluation.closed_loop.baselines.files import read_baselines
from hwm_core.evaluation.closed_loop.config import PlanningConfig
from hwm_core.evaluation.closed_loop.episode import run_episode
from hwm_core.evaluation.closed_loop.film import write_film
from hwm_core.evaluation.closed_loop.record import EpisodeRecord
from hwm_core.evaluation.closed_loop.rows import ROWS, Resources
from hwm_core.evaluation.closed_loop.view import plain_view
from hwm_core.planning.joint_space import JointSpace
from hwm_core.sim.model import SimHumanoid
from hwm_core.sim.tasks.table import TASKS
from hwm_core.world_model.model import WorldModel


@dataclass(frozen=True)
class ResourcesSpec:
    """What a process loads."""

    checkpoint: Path | None
    baselines: Path | None
    config: Path | None  # YAML of PlanningConfig
    device: str
    threads: int  # of torch

    def load(self) -> Resources:
        """The loaded resources; the same ones for the same spec in one process."""
        return _load(self)


@dataclass(frozen=True)
class Job:
    """One episode."""

    row: str
    task: str
    seed: int
    resources: ResourcesSpec
    films: Path | None  # folder

    def run(self) -> EpisodeRecord:
        """Run the episode, and film it into `films`. Raises as `run_episode`, and BadConfig as `Resources`."""
        resources, row = self.resources.load(), ROWS[self.row]
        view, config = resources.view, resources.config
        space = JointSpace.from_manifest(view.manifest, view.frame_rate_hz, config.max_velocity)
        episode = run_episode(
            _robot(),
            view,
            space,
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


def run_job(job: Job) -> EpisodeRecord:
    """`job.run()`, as a function that a pool of processes can import."""
    return job.run()


@lru_cache(maxsize=1)
def _load(spec: ResourcesSpec) -> Resources:
    torch.set_num_threads(spec.threads)
    config = PlanningConfig.read(spec.config) if spec.config else PlanningConfig()
    baselines = read_baselines(spec.baselines) if spec.baselines else None
    if spec.checkpoint:
        model = WorldModel.load(spec.checkpoint, device=spec.device)
        return Resources(model, config, model, baselines)
    return Resources(plain_view() if baselines is None else baselines.view, config, None, baselines)


@lru_cache(maxsize=1)
def _robot() -> SimHumanoid:
    return SimHumanoid(0)
