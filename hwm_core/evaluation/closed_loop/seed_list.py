"""The seeds of the closed loop: per task the first ones that give a task, in a file written before a final run."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from hwm_core.errors import BadConfig
from hwm_core.io.json_files import JsonFields
from hwm_core.sim.gl import mujoco
from hwm_core.sim.model import SimHumanoid
from hwm_core.sim.seeds import FIRST_SEED
from hwm_core.sim.tasks.table import TASKS
from hwm_core.sim.tasks.task import NoTask, TaskKind, make_task

Split = Literal["closed_loop", "development"]


class SeedList(JsonFields):
    """The contents of the file: {task: accepted seeds} of each split."""

    mujoco: str  # version that accepted them
    closed_loop: dict[str, tuple[int, ...]]
    development: dict[str, tuple[int, ...]]

    def first(self, split: Split, task: str, count: int | None) -> tuple[int, ...]:
        """The first `count` seeds of a task; all of them for None. Raises BadConfig where the list is shorter."""
        seeds: Mapping[str, tuple[int, ...]] = getattr(self, split)
        listed = seeds.get(task, ())
        if len(listed) < max(1, count or 1):
            raise BadConfig(
                f"Seeds of task `{task}`, {split}",
                expected=f"at least {count or 1}",
                got=len(listed),
                remedy="List more: `hwm bench seeds`.",
            )
        return listed[:count]


def accepted_seeds(robot: SimHumanoid, kind: TaskKind, first: int, count: int) -> tuple[int, ...]:
    """The first `count` seeds from `first` on that give a task of this kind. Every physics version may differ."""
    found: list[int] = []
    seed = first
    while len(found) < count:
        try:
            make_task(kind, robot, seed)
            found.append(seed)
        except NoTask:
            pass
        seed += 1
    return tuple(found)


def list_seeds(count: int) -> SeedList:
    """The first `count` accepted seeds of every task and split."""
    with SimHumanoid(0) as robot:
        splits = {
            split: {name: accepted_seeds(robot, kind, FIRST_SEED[split], count) for name, kind in TASKS.items()}
            for split in ("closed_loop", "development")
        }
    return SeedList(mujoco=mujoco.__version__, **splits)


def read_seed_list(path: str | Path) -> SeedList:
    """Read the file. Raises BadBag when it is missing or invalid."""
    return SeedList.from_json(path, "Make it: `hwm bench seeds`.")
