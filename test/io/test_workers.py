"""The pool of worker processes."""

import os
import signal

import pytest

from hwm_core.errors import BadConfig
from hwm_core.io.workers import worker_pool


def test_a_worker_ignores_ctrl_c():
    with worker_pool(1) as pool:
        worker = pool.submit(os.getpid).result()
        pool.submit(os.kill, worker, signal.SIGINT).result()
        assert pool.submit(os.getpid).result() == worker


def test_an_interrupt_of_the_parent_cancels_waiting_tasks():
    waiting = []

    def interrupted() -> None:
        with worker_pool(1) as pool:
            waiting.extend(pool.submit(os.getpid) for _ in range(100))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert any(one.cancelled() for one in waiting)


def test_a_killed_worker_is_reported_with_its_remedy():
    with pytest.raises(BadConfig, match=r"a process that the system ended.*fewer workers"), worker_pool(2) as pool:
        pool.submit(os._exit, 1).result()
