"""The pool of worker processes."""

import os
import signal
import subprocess
import sys
import time

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


PARENT = """
import os, sys
from hwm_core.io.workers import worker_pool
if __name__ == "__main__":
    with worker_pool(1) as pool:
        print(pool.submit(os.getpid).result(), flush=True)
        sys.stdin.read()
"""


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGKILL], ids=["terminated", "killed"])
def test_workers_end_with_their_parent(ending, tmp_path):
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    command = [sys.executable, str(script)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        worker = int(parent.stdout.readline())
        parent.send_signal(ending)
        parent.wait(30)
    ended = time.monotonic() + 30
    while time.monotonic() < ended and alive(worker):
        time.sleep(0.05)
    assert not alive(worker)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
