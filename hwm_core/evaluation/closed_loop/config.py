"""Settings of planning in the closed loop and in the ranking."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field, field_validator

from hwm_core.config import Config
from hwm_core.planning.costs.objective import Objective
from hwm_core.planning.search_config import SearchConfig
from hwm_core.sampling.config import Sampling
from hwm_core.sim.tasks.table import TASKS

_OF_TASKS: Mapping[str, dict[str, Any]] = {"reach": {"strokes": False}}  # in the goal of a reach no object moves


class PlanningConfig(Config):
    """Settings of all tasks, and changes for single tasks."""

    search: SearchConfig = Field(default=SearchConfig(), description="the search; its joints are the task's")
    strokes: bool = Field(
        default=True,
        description="whether hands also draw strokes over the table, which move objects; the task reach does not",
    )
    objective: Objective = Objective()
    scoring: Sampling = Field(default=Sampling(), description="sampling of the rollouts of candidates")
    max_velocity: float = Field(
        default=3.0, gt=0, description="joint units per second; joints keep the robot's own limits too"
    )
    limits: str | None = Field(
        default=None, description="robot YAML file or URDF with speed limits; absent: those of the simulated robot"
    )
    replan_seconds: float = Field(default=0.4, gt=0, description="time of each plan that is executed")
    tasks: dict[str, dict[str, Any]] = Field(
        default={}, description="{task: settings that differ for it}, such as {push: {search: {proposals: 256}}}"
    )

    def of_task(self, task: str) -> "PlanningConfig":
        """The settings of one task. Raises BadConfig for an unknown setting of it."""
        common = {**self.plain(), "tasks": {}}
        of_task = _merged(_OF_TASKS.get(task, {}), self.tasks.get(task, {}))
        return PlanningConfig.parse(_merged(common, of_task), f"task {task}")

    @field_validator("tasks")
    @classmethod
    def _known_tasks(cls, tasks: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        if unknown := sorted(set(tasks) - set(TASKS)):
            raise ValueError(f"names among {', '.join(TASKS)}, not {', '.join(unknown)}")
        return tasks


def _merged(settings: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """`settings` with `changes`, section by section."""
    merged = dict(settings)
    for key, value in changes.items():
        inner = merged.get(key)
        merged[key] = _merged(inner, value) if isinstance(inner, dict) and isinstance(value, dict) else value
    return merged
