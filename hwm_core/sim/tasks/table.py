"""The table of tasks."""

from collections.abc import Mapping

from hwm_core.sim.tasks.look import LOOK
from hwm_core.sim.tasks.push import PUSH
from hwm_core.sim.tasks.reach import REACH
from hwm_core.sim.tasks.task import TaskKind

TASKS: Mapping[str, TaskKind] = {kind.name: kind for kind in (LOOK, REACH, PUSH)}
"""{name: kind of task}."""
