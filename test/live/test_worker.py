"""The thread that owns the model."""

import threading

import pytest

from hwm_core.live.worker import Stopped, Superseded, Worker


@pytest.fixture
def held():
    """A worker busy with one job until `release` is set."""
    worker, begun, release = Worker("test"), threading.Event(), threading.Event()

    def wait() -> bool:
        begun.set()
        return release.wait()

    first = worker.submit(wait)
    assert begun.wait(60)
    yield worker, release, first
    release.set()
    worker.close()


def test_jobs_run_one_after_the_other_in_one_thread():
    worker = Worker("test")
    threads = [worker.submit(threading.get_ident) for _ in range(3)]
    assert len({future.result(5) for future in threads}) == 1
    assert threads[0].result() != threading.get_ident()
    worker.close()


def test_of_jobs_waiting_in_a_slot_only_the_newest_runs(held):
    worker, release, _ = held
    futures = [worker.submit(lambda i=i: i, slot="prediction") for i in range(3)]
    release.set()
    assert futures[2].result(5) == 2
    for old in futures[:2]:
        with pytest.raises(Superseded):
            old.result(5)


def test_jobs_without_a_slot_all_run_in_order(held):
    worker, release, _ = held
    order: list[int] = []
    futures = [worker.submit(lambda i=i: order.append(i)) for i in range(3)]
    release.set()
    for future in futures:
        future.result(5)
    assert order == [0, 1, 2]


def test_a_job_that_raises_leaves_the_worker_alive():
    worker = Worker("test")
    with pytest.raises(ZeroDivisionError):
        worker.submit(lambda: 1 / 0).result(5)
    assert worker.submit(lambda: "alive").result(5) == "alive"
    worker.close()


def test_closing_finishes_the_running_job_and_rejects_the_waiting_ones(held):
    worker, release, first = held
    waiting = worker.submit(lambda: None)
    threading.Timer(0.05, release.set).start()
    worker.close()
    assert first.result(0) is True
    for rejected in (waiting, worker.submit(lambda: None)):
        with pytest.raises(Stopped):
            rejected.result(0)
