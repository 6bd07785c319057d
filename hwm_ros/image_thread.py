"""A thread that decodes images, so that the executor answers requests meanwhile."""

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future as Job
from concurrent.futures import ThreadPoolExecutor, wait

from rclpy.node import Node

from hwm_ros.node import start_task

_MOST = 10  # images that wait: as many as in the queue of the middleware


class ImageThread:
    """Does one piece of work after another in a thread, and reports each on the executor's thread, in their order.

    Args:
        node: its executor gets the reports.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self._thread = ThreadPoolExecutor(1, "images")
        self._waiting: deque[Job] = deque()
        self._closed = False

    def submit(self, work: Callable[[], object], report: Callable[[Job], None]) -> None:
        """Do `work`, then call `report` with its job. While too many images wait, the caller waits too."""
        if len(self._waiting) >= _MOST:
            wait([self._waiting[0]])
        job = self._thread.submit(work)
        self._waiting.append(job)
        job.add_done_callback(lambda done: start_task(self._node, self._report, done, report))

    def finish(self) -> None:
        """Wait until all work is done. Its reports follow."""
        wait(self._waiting)

    def close(self) -> None:
        """End the thread after the work that is being done. Nothing is reported after this."""
        self._closed = True
        self._thread.shutdown(cancel_futures=True)

    def _report(self, job: Job, report: Callable[[Job], None]) -> None:
        if not self._closed:
            self._waiting.remove(job)
            report(job)
