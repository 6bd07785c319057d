"""The tasks of a LeRobot episode, and of each of its rows."""

from collections.abc import Mapping

import numpy as np

from hwm_core.data.lerobot.columns import numeric_rows, only_column
from hwm_core.data.lerobot.dataset import LeRobotDataset
from hwm_core.data.lerobot.tables import has_column, read_table
from hwm_core.errors import BadInput


def episode_tasks(dataset: LeRobotDataset, number: int) -> tuple[str, ...]:
    """The tasks of an episode: from its metadata, else by the task_index of its rows, in order.

    Raises:
        BadBag: the table or the file of tasks is damaged.
    """
    listed = dataset.entry(number).tasks
    if any(listed):
        return listed
    return tuple(dict.fromkeys(task for task in row_tasks(dataset, number) if task)) or listed


def row_tasks(dataset: LeRobotDataset, number: int) -> list[str]:
    """The task of each row; empty where no file describes them. Raises BadBag for a damaged table or file of tasks."""
    if not has_column(dataset, number, "task_index"):
        return []
    column = only_column(read_table(dataset, number, ["task_index"]), "task_index")
    try:
        indices = numeric_rows(column)[:, 0]
    except (ValueError, IndexError):
        return []  # not an index: no text belongs to it
    known: Mapping[int, str] = dataset.tasks()
    return [known.get(int(index), "") if np.isfinite(index) else "" for index in indices]


def tasks_or_none(dataset: LeRobotDataset, number: int) -> tuple[str, ...]:
    """As `episode_tasks` without empty ones; none where a file is damaged, which is reported when it is read."""
    try:
        return tuple(task for task in episode_tasks(dataset, number) if task)
    except BadInput:
        return ()
