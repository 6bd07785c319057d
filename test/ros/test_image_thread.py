"""Images are decoded in a thread and reported in their order on the executor's thread. No DDS."""

from threading import Event, get_ident
from types import SimpleNamespace

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")

from hwm_ros.image_thread import ImageThread

pytestmark = pytest.mark.ros


class Executor:
    """Keeps tasks until they are run."""

    def __init__(self):
        self.tasks = []

    def create_task(self, callback, *arguments):
        self.tasks.append((callback, arguments))

    def run(self):
        while self.tasks:
            callback, arguments = self.tasks.pop(0)
            callback(*arguments)


@pytest.fixture
def executor():
    return Executor()


@pytest.fixture
def thread(executor):
    made = ImageThread(SimpleNamespace(executor=executor))
    yield made
    made.close()


def test_work_is_done_in_another_thread_and_reported_in_order_by_the_executor(thread, executor):
    done, reported = [], []
    for number in range(3):
        thread.submit(
            lambda number=number: done.append((number, get_ident())),
            lambda job, number=number: reported.append((number, job.exception(), get_ident())),
        )
    thread.finish()
    assert [number for number, _ in done] == [0, 1, 2] and get_ident() not in {one for _, one in done}
    assert reported == []
    executor.run()
    assert reported == [(number, None, get_ident()) for number in range(3)]


def test_an_error_of_the_work_reaches_the_report(thread, executor):
    reported = []
    thread.submit(lambda: 1 / 0, lambda job: reported.append(job.exception()))
    thread.finish()
    executor.run()
    assert isinstance(reported[0], ZeroDivisionError)


def test_the_caller_waits_while_ten_images_wait(thread, executor):
    go, numbers = Event(), []
    for number in range(10):
        thread.submit(lambda number=number: (go.wait(10), numbers.append(number)), lambda job: None)
    go.set()
    thread.submit(lambda: numbers.append(10), lambda job: None)
    assert 0 in numbers, "the first is done when the eleventh is taken"
    thread.finish()
    executor.run()
    assert numbers == list(range(11))


def test_nothing_is_reported_after_the_end(thread, executor):
    reported = []
    thread.submit(lambda: None, reported.append)
    thread.finish()
    thread.close()
    executor.run()
    assert reported == []
