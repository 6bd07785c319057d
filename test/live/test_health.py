"""What is wrong with input streams, on a fake clock."""

import pytest

from hwm_core.errors import BadActions, BadImage
from hwm_core.live.health import Announcements, Finding, InputStream, newest_rejection

NAN = BadActions("Joint message", expected="finite positions", got="NaN for elbow", remedy="Fix the publisher.")
WIDE = BadImage("Image", expected="width / height = 1.000", got="2.000", remedy="Use another mode.")


class Clock:
    def __init__(self):
        self.now = 10.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def feed(stream, clock, seconds, lag_s=0.0, error=None, hz=30):
    for _ in range(round(seconds * hz)):
        clock.now += 1 / hz
        stream.accepted(lag_s, round(1e9 * (clock.now - lag_s))) if error is None else stream.rejected(error)


def texts(stream):
    return [finding.text for finding in stream.findings("/camera")]


def test_a_stream_that_delivers_is_fine(clock):
    stream = InputStream("Images", "error", clock)
    feed(stream, clock, 5.0, lag_s=0.1)
    assert texts(stream) == [] and stream.take_count() == 150 and stream.take_count() == 0


@pytest.mark.parametrize("starts", [True, False])
def test_silence_is_reported_within_one_and_a_half_seconds(clock, starts):
    stream = InputStream("Images", "error", clock)
    if starts:
        feed(stream, clock, 2.0)
    clock.now += 1.3
    assert texts(stream) == []
    clock.now += 0.2
    what = "they stopped" if starts else "none arrived"
    assert texts(stream) == [
        f"Images: {what} for 1.5 s on /camera. Check that their publisher runs, and the name of the topic."
    ]


@pytest.mark.parametrize(("silence", "levels"), [("error", [True]), ("warning", [False]), ("fine", [])])
def test_silence_is_what_the_stream_says_it_is(clock, silence, levels):
    stream = InputStream("Commands", silence, clock)
    clock.now += 60
    assert [finding.is_error for finding in stream.findings("/commands")] == levels


@pytest.mark.parametrize("error", [NAN, WIDE])
def test_a_stream_whose_every_message_is_rejected_has_the_newest_reason_and_their_count(clock, error):
    stream = InputStream("Images", "error", clock)
    feed(stream, clock, 1.0)
    feed(stream, clock, 1.0, error=error)
    (finding,) = stream.findings("/camera")
    assert finding.text == f"Images: the newest 30 were rejected. {error}"
    assert finding.cause is error and finding.is_error
    assert newest_rejection([stream]) == (f"Images: {error}", 30)
    feed(stream, clock, 0.1)
    assert texts(stream) == [] and newest_rejection([stream]) == (f"Images: {error}", 0)


def test_single_rejected_messages_are_no_fault_of_the_stream(clock):
    stream = InputStream("Images", "error", clock)
    for _ in range(100):
        feed(stream, clock, 0.1)
        stream.rejected(WIDE)
        assert texts(stream) == []


@pytest.mark.parametrize(
    ("lag_s", "words"),
    [
        (-3600.0, "60 minutes ahead of"),
        (-0.6, "0.6 s ahead of"),
        (6.0, "6.0 s behind"),
        (8 * 3600.0, "8 hours behind"),
        (3 * 365 * 86400.0, "3 years behind"),
    ],
)
def test_stamps_of_another_clock_are_reported_with_their_distance(clock, lag_s, words):
    stream = InputStream("Images", "error", clock)
    feed(stream, clock, 1.0, lag_s=lag_s)
    (finding,) = stream.findings("/camera")
    assert words in finding.text and "use_sim_time" in finding.text and not finding.is_error


def test_the_rejections_of_a_stream_that_is_still_rejected_come_before_older_ones(clock):
    images, states = InputStream("Images", "error", clock), InputStream("Joint states", "error", clock)
    assert newest_rejection([images, states]) == ("", 0)
    images.rejected(WIDE)
    feed(states, clock, 0.2, error=NAN)
    feed(states, clock, 0.2)
    assert newest_rejection([images, states]) == (f"Images: {WIDE}", 1)


def test_each_finding_is_announced_once_and_again_after_it_was_gone():
    announcements = Announcements()
    silent = {"silent": Finding("silent for 2 s")}
    assert [f.text for f in announcements.new(silent)] == ["silent for 2 s"]
    assert announcements.new({"silent": Finding("silent for 3 s")}) == []
    assert [f.text for f in announcements.new(silent | {"name": Finding("two nodes")})] == ["two nodes"]
    assert announcements.new({}) == []
    assert len(announcements.new(silent)) == 1


def test_stamps_that_stand_still_are_reported_unless_the_clock_stands_too(clock):
    stream = InputStream("Images", "error", clock)
    feed(stream, clock, 1.0)
    for number in range(45):
        clock.now += 1 / 30
        stream.accepted(number / 30, 1)
    assert len(texts(stream)) == 1 and "stand still" in texts(stream)[0]
    feed(stream, clock, 0.1)
    assert texts(stream) == []
    for _ in range(90):  # a simulation that waits: its time stands still
        clock.now += 1 / 30
        stream.accepted(0.0, 1)
    assert texts(stream) == []
