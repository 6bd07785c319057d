"""The worker thread and its queue: order, turns, bounds, time limits, cancellation, errors, shutdown."""

import threading

import pytest

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
from hwm_core.live.worker import Worker


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


class Held:
    """A worker whose first request runs until `release` is set or a check ends it."""

    def __init__(self, **limits):
        self.clock = Clock()
        self.worker = Worker("test", RequestLimits(**limits), self.clock)
        self.started, self.release = threading.Event(), threading.Event()
        self.first = self.worker.submit(self._passes, "first/robot")
        assert self.started.wait(60)

    def _passes(self):
        self.started.set()
        while not self.release.wait(0.001):
            self.worker.check()
        return True

    def close(self):
        self.release.set()
        self.worker.close()


@pytest.fixture
def held():
    it = Held(waiting=6, per_sender=3, timeout_s=5.0)
    yield it
    it.close()


def test_requests_run_in_one_thread_of_the_worker():
    worker = Worker("test")
    threads = [worker.submit(threading.get_ident) for _ in range(3)]
    assert len({future.result(5) for future in threads}) == 1
    assert threads[0].result() != threading.get_ident()
    worker.close()


def test_a_replacing_request_is_the_only_one_of_its_sender_that_runs(held):
    futures = [held.worker.submit(lambda i=i: i, "preview", replaces=True) for i in range(3)]
    held.release.set()
    assert futures[2].result(5) == 2
    for old in futures[:2]:
        with pytest.raises(Superseded):
            old.result(5)


def test_senders_take_turns_however_many_requests_they_send():
    queue = RequestQueue(RequestLimits(waiting=100, per_sender=50))
    for sender, count in (("many", 6), ("few", 2), ("one", 1)):
        for _ in range(count):
            queue.add(Request(lambda: None, sender))
    order = [request.sender for request in iter(queue.next, None)]
    assert order == ["many", "few", "one", "many", "few", "many", "many", "many", "many"]


def test_a_sender_that_replaces_its_request_all_the_time_still_gets_its_turn():
    queue = RequestQueue(RequestLimits())
    queue.add(Request(lambda: None, "fast", replaces=True))
    queue.add(Request(lambda: None, "slow"))
    for _ in range(100):
        queue.add(Request(lambda: None, "fast", replaces=True))
    assert [request.sender for request in iter(queue.next, None)] == ["fast", "slow"]


def test_a_flood_is_answered_with_busy_at_once_and_leaves_room_for_others(held):
    answers = []
    for _ in range(4000):
        try:
            answers.append(held.worker.submit(lambda: None, "flood"))
        except Busy:
            continue
    assert len(answers) == 3
    others = [held.worker.submit(lambda: None, f"other {number}") for number in range(3)]
    with pytest.raises(Busy, match="at most 3 waiting of a sender, 6 in all, got 0 of this sender, 6 in all"):
        held.worker.submit(lambda: None, "another")
    with pytest.raises(Busy):
        held.worker.require_room("another")
    assert held.worker.counts()["requests_busy"] == 3999
    assert held.worker.counts()["requests_waiting"] == 6
    held.release.set()
    for future in (*answers, *others):
        future.result(5)


def test_urgent_work_runs_first_and_always_finds_room(held):
    order: list[str] = []
    waiting = [held.worker.submit(lambda: order.append("request"), f"sender {number}") for number in range(6)]
    held.worker.submit(lambda: order.append("urgent"), urgent=True)
    held.release.set()
    for future in waiting:
        future.result(5)
    assert order == ["urgent", *["request"] * 6]


def test_a_waiting_request_is_answered_when_its_time_is_over_although_the_model_is_busy(held):
    waiting = held.worker.submit(lambda: None, "late")
    held.clock.now += 4.9
    held.worker.expire()
    assert not waiting.done()
    held.clock.now += 0.2
    held.worker.expire()
    with pytest.raises(TimedOut, match=r"requests\.timeout_s"):
        waiting.result(0)


def test_a_running_request_ends_at_its_next_check_when_its_time_is_over(held):
    held.clock.now += 5.1
    with pytest.raises(TimedOut):
        held.first.result(5)
    assert held.worker.submit(lambda: "next").result(5) == "next"
    assert held.worker.counts()["requests_timed_out"] == 1


def test_cancellation_ends_the_requests_of_a_sender_also_the_running_one_and_no_others(held):
    own = held.worker.submit(lambda: None, "plan/robot")
    other = held.worker.submit(lambda: "other", "plan/rover")
    assert held.worker.cancel(lambda sender: sender.endswith("/robot")) == 2
    for canceled in (held.first, own):
        with pytest.raises(Canceled):
            canceled.result(5)
    assert other.result(5) == "other"
    assert held.worker.cancel(lambda sender: True) == 0


def test_work_that_raises_leaves_the_worker_alive():
    worker = Worker("test")
    with pytest.raises(ZeroDivisionError):
        worker.submit(lambda: 1 / 0).result(5)
    assert worker.submit(lambda: "alive").result(5) == "alive"
    worker.close()


def test_closing_ends_the_running_request_at_its_next_check_and_the_waiting_ones_at_once(held):
    waiting = held.worker.submit(lambda: None)
    held.worker.close()
    for stopped in (held.first, waiting, held.worker.submit(lambda: None)):
        with pytest.raises(Stopped):
            stopped.result(0)
