"""Processor time by thread and memory of a running process, from /proc."""

import os
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def thread_seconds(pid: int) -> dict[str, float]:
    """{thread: processor seconds so far}. A thread is its name and number; the first one is `main`."""
    seconds = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            before, after = (task / "stat").read_text().rsplit(")", 1)
        except FileNotFoundError:  # it has just ended
            continue
        name = "main" if int(task.name) == pid else f"{before.partition('(')[2]} {task.name}"
        user, system = after.split()[11:13]
        seconds[name] = (int(user) + int(system)) / _TICKS
    return seconds


def memory_mb(pid: int) -> float:
    """Resident memory in MB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def busiest(before: dict[str, float], after: dict[str, float], seconds: float, count: int = 6) -> dict[str, float]:
    """{thread: percent of a core}, the busiest first. Numbers of threads are left out where a name is unique."""
    used = {name: 100 * (after[name] - before.get(name, 0.0)) / seconds for name in after}
    names = sorted(used, key=used.__getitem__, reverse=True)[:count]
    return {name: round(used[name], 1) for name in names if used[name] >= 0.05}
