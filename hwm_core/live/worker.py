"""A worker thread that owns the model; other threads submit requests."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from math import inf
from typing import Any

from hwm_core.live.requests import (
    Busy,
    Canceled,
    Request,
    RequestLimits,
    RequestQueue,
    Stopped,
    Superseded,
    TimedOut,
)


class Worker:
    """Runs requests one at a time in its own thread, because compiled graphs and CUDA contexts belong to one thread.

    Args:
        name: of the thread.
        limits: of the queue.
        clock: seconds, for time limits.
    """

    def __init__(
        self, name: str, limits: RequestLimits | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._limits, self._clock = limits or RequestLimits(), clock
        self._queue = RequestQueue(self._limits)
        self._changed = threading.Condition()
        self._running: Request | None = None
        self._running_since = 0.0
        self._stopping = False
        self._counts: Counter[str] = Counter(busy=0, timed_out=0, canceled=0)
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def submit(
        self, work: Callable[[], Any], sender: str = "", *, replaces: bool = False, urgent: bool = False
    ) -> Future:
        """Let a request wait for its turn (see `Request`).

        Returns:
            A future that gets the result, the exception of `work`, or Superseded, TimedOut, Canceled or Stopped.

        Raises:
            Busy: too many requests wait.
        """
        limited = self._limits.timeout_s > 0 and not urgent
        request = Request(work, sender, replaces, urgent, self._clock() + self._limits.timeout_s if limited else inf)
        with self._changed:
            if self._stopping:
                request.future.set_exception(Stopped())
                return request.future
            with self._counting_busy():
                replaced = self._queue.add(request)
            self._changed.notify()
        _fail(replaced, Superseded())
        return request.future

    def require_room(self, sender: str, replaces: bool = False) -> None:
        """Raises Busy when a request of this sender would find no room: to ask before costly preparations."""
        with self._changed, self._counting_busy():
            self._queue.require_room(sender, replaces)

    def check(self) -> None:
        """Called by running work between two passes of the model: raises why it has to end, if it has to."""
        request = self._running
        if request is None or threading.current_thread() is not self._thread:
            return
        if (end := request.end or request.timed_out(self._clock())) is not None:
            raise end

    def cancel(self, senders: Callable[[str], bool]) -> int:
        """End the requests of some senders: waiting ones now, a running one at its next `check`.

        Returns:
            The number of requests.
        """

        def matches(request: Request) -> bool:
            return not request.urgent and senders(request.sender)

        with self._changed:
            waiting, running = self._queue.remove(matches), self._running
            ends_running = running is not None and running.end is None and matches(running)
            if running is not None and ends_running:
                running.end = Canceled()
            self._counts["canceled"] += len(waiting) + ends_running
        _fail(waiting, Canceled())
        return len(waiting) + ends_running

    def expire(self) -> None:
        """Answer the waiting requests whose time is over. To be called a few times per second."""
        now = self._clock()
        with self._changed:
            late = self._queue.remove(lambda request: request.timed_out(now) is not None)
        for request in late:
            self._counts["timed_out"] += 1
            request.future.set_exception(request.timed_out(now))

    def counts(self) -> dict[str, float]:
        """Requests that wait, those answered with an error so far, and how long the running one has been running."""
        with self._changed:
            seconds = 0.0 if self._running is None else self._clock() - self._running_since
            counts = {f"requests_{name}": count for name, count in self._counts.items()}
            return {"requests_waiting": len(self._queue), "request_running_s": seconds, **counts}

    def close(self) -> None:
        """End the running request at its next `check`, stop the waiting ones with Stopped, and end the thread."""
        with self._changed:
            self._stopping = True
            waiting = self._queue.clear()
            if self._running is not None:
                self._running.end = Stopped()
            self._changed.notify()
        _fail(waiting, Stopped())
        self._thread.join()

    def _run(self) -> None:
        while (request := self._next()) is not None:
            try:
                self.check()
                request.future.set_result(request.work())
            except BaseException as error:  # the thread continues after any error; the caller receives it
                self._counts["timed_out"] += isinstance(error, TimedOut)
                request.future.set_exception(error)

    def _next(self) -> Request | None:
        with self._changed:
            self._running = None
            self._changed.wait_for(lambda: len(self._queue) or self._stopping)
            self._running, self._running_since = self._queue.next(), self._clock()
            return self._running

    @contextmanager
    def _counting_busy(self) -> Iterator[None]:
        try:
            yield
        except Busy:
            self._counts["busy"] += 1
            raise


def _fail(requests: list[Request], error: BaseException) -> None:
    for request in requests:
        request.future.set_exception(error)
