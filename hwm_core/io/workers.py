"""A pool of worker processes that stops quietly on Ctrl-C, and with its parent."""

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from threading import Thread

from hwm_core.errors import BadConfig


@contextmanager
def worker_pool(processes: int) -> Iterator[ProcessPoolExecutor]:
    """A pool of spawned processes. On an error or Ctrl-C, running tasks are finished and waiting tasks are cancelled.

    The processes are spawned, not forked: the parent may have threads (torch, OpenCV), and every process opens its own
    GL.

    Raises:
        BadConfig: the operating system ended a process.
    """
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn"), initializer=_follow_parent) as pool:
        try:
            yield pool
        except BrokenProcessPool as error:
            raise BadConfig(
                "Worker processes",
                expected=f"{processes} processes that finish their work",
                got="a process that the system ended, often for lack of memory",
                remedy="Run the command again with fewer workers; finished parts are kept.",
            ) from error
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _follow_parent() -> None:
    """Ignore Ctrl-C, which goes to all processes of a terminal: the parent handles it. End when the parent has ended.

    A parent that is killed cannot stop its workers, and they would wait for its next task forever.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_end_after_parent, daemon=True).start()


def _end_after_parent() -> None:
    parent = parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
