"""One image of a bag, by its time. Frame t of `recordings.run` is at START + t periods and has the grey value t."""

from pathlib import Path

import pytest
from recordings import PERIOD, START, TOPICS, Message, grey_image, record, run

from hwm_core.data.rosbag2.frame_at import frame_at
from hwm_core.data.rosbag2.writer import BagWriter
from hwm_core.errors import BadBag, NoImages


@pytest.fixture(scope="module")
def bag(tmp_path_factory) -> Path:
    return record(tmp_path_factory.mktemp("bags") / "run", run(12))


def grey(bag: Path, stamp_ns: int) -> int:
    frame = frame_at(bag, TOPICS.image, stamp_ns)
    assert frame.stamp_ns == START + int(frame.rgb[0, 0, 0]) * PERIOD
    return int(frame.rgb[0, 0, 0])


def test_the_nearest_image_is_read(bag: Path) -> None:
    assert [grey(bag, START + round(t * PERIOD)) for t in (0, 4.4, 4.6, 11)] == [0, 4, 5, 11]


def test_zero_is_the_last_image(bag: Path) -> None:
    assert grey(bag, 0) == 11


def test_images_half_a_second_beyond_the_ends_are_out_of_range_with_the_range(bag: Path) -> None:
    assert grey(bag, START - 400_000_000) == 0
    with pytest.raises(BadBag, match=r"got 12 images from 100\.000 to 100\.367 s, the nearest 0\.600 s away"):
        frame_at(bag, TOPICS.image, START - 600_000_000)


def test_images_in_another_order_than_their_stamps_are_found(tmp_path: Path) -> None:
    images = [Message(TOPICS.image, START + t * PERIOD, grey_image(t)) for t in (3, 0, 2, 1)]
    bag = record(tmp_path / "run", images)
    assert (grey(bag, START + PERIOD), grey(bag, 0)) == (1, 3), "a camera alone is enough"


def test_compressed_images_of_the_same_topic_are_read(tmp_path: Path) -> None:
    bag = record(tmp_path / "run", run(4), "png")
    assert grey(bag, START + 2 * PERIOD) == 2


def test_another_topic_is_an_error_that_lists_those_of_the_bag(bag: Path) -> None:
    with pytest.raises(NoImages, match=f"no such topic.*{TOPICS.image}"):
        frame_at(bag, "/wrist/image", 0)


def test_no_bag_and_a_damaged_bag_are_errors(bag: Path, tmp_path: Path) -> None:
    with pytest.raises(BadBag, match="nothing there"):
        frame_at(tmp_path / "absent", TOPICS.image, 0)
    [file] = bag.glob("*.mcap")
    broken = tmp_path / "broken.mcap"
    broken.write_bytes(file.read_bytes()[:200])
    with pytest.raises(BadBag):
        frame_at(broken, TOPICS.image, 0)


def test_a_truncated_message_is_an_error(tmp_path: Path) -> None:
    for number, length in enumerate((8, 60)):
        with BagWriter(tmp_path / f"run_{number}") as writer:
            writer.write_image(TOPICS.image, START, grey_image(1), received_ns=START)
            writer.write_serialized(TOPICS.image, "sensor_msgs/msg/Image", b"\0\1\0\0" + b"\x64\0\0\0" * length, START)
        with pytest.raises(BadBag):
            frame_at(tmp_path / f"run_{number}", TOPICS.image, 0) if length == 60 else frame_at(
                tmp_path / f"run_{number}", TOPICS.image, 1
            )


def test_a_reading_can_be_stopped(bag: Path) -> None:
    with pytest.raises(InterruptedError):
        frame_at(bag, TOPICS.image, 0, stopped=lambda: True)
