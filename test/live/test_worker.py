"""The worker thread: order, slots, errors, shutdown."""

import threading

import pytest

from hwm_core.live.worker import Stopped, Superseded, Worker


@pytest.fixture
def held():
    """A worker whose first job runs until `release` is set."""
    worker, started, release = Worker("test"), threading.Event(), threading.Event()

    def wait() -> bool:
        started.set()
        return release.wait()

    first = worker.submit(wait)
    assert started.wait(60)
    yield worker, release, first
    release.set()
    worker.close()


def test_jobs_run_in_one_thread_of_the_worker():
    worker = Worker("test")
    threads = [worker.submit(threading.get_ident) for _ in range(3)]
    assert len({future.result(5) for future in threads}) == 1
    assert threads[0].result() != threading.get_ident()
    worker.close()


def test_only_the_newest_waiting_job_of_a_slot_runs(held):
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


def test_closing_finishes_the_running_job_and_stops_the_waiting_jobs(held):
    worker, release, first = held
    waiting = worker.submit(lambda: None)
    threading.Timer(0.05, release.set).start()
    worker.close()
    assert first.result(0) is True
    for stopped in (waiting, worker.submit(lambda: None)):
        with pytest.raises(Stopped):
            stopped.result(0)
