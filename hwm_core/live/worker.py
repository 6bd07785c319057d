"""A worker thread that owns the model; other threads submit jobs."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any


class Superseded(Exception):
    """A newer job of the same slot replaced this job before it started."""


class Stopped(Exception):
    """The worker stopped before the job started."""


@dataclass(frozen=True)
class _Job:
    work: Callable[[], Any]
    future: Future
    slot: str


class Worker:
    """Runs jobs one at a time in its own thread, because compiled graphs and CUDA contexts belong to one thread.

    Only the newest waiting job of a non-empty `slot` runs: it replaces an older one. Jobs without a slot all run.
    """

    def __init__(self, name: str) -> None:
        self._jobs: deque[_Job] = deque()
        self._changed = threading.Condition()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def submit(self, work: Callable[[], Any], slot: str = "") -> Future:
        """Queue a job. Its future gets the result, the job's exception, Superseded or Stopped."""
        job = _Job(work, Future(), slot)
        with self._changed:
            dropped = [waiting for waiting in self._jobs if slot and waiting.slot == slot]
            self._jobs = deque(waiting for waiting in self._jobs if waiting not in dropped)
            if self._stopping:
                dropped = [job]
            else:
                self._jobs.append(job)
            self._changed.notify()
        for old in dropped:
            old.future.set_exception(Stopped() if old is job else Superseded())
        return job.future

    def close(self) -> None:
        """Finish the running job, stop the waiting jobs with Stopped, and end the thread."""
        with self._changed:
            self._stopping = True
            waiting, self._jobs = self._jobs, deque()
            self._changed.notify()
        for job in waiting:
            job.future.set_exception(Stopped())
        self._thread.join()

    def _run(self) -> None:
        while (job := self._next()) is not None:
            try:
                job.future.set_result(job.work())
            except BaseException as error:  # the thread continues after any error; the caller receives it
                job.future.set_exception(error)

    def _next(self) -> _Job | None:
        with self._changed:
            self._changed.wait_for(lambda: self._jobs or self._stopping)
            return self._jobs.popleft() if self._jobs else None
