"""Recordings of any format."""

import pytest
from recordings import START, TOPICS, Message, grey_image, record, recording_at, run

from hwm_core.errors import BadBag


def test_the_rate_is_measured_from_the_images(tmp_path):
    record(tmp_path / "run_0", run(20))
    assert recording_at(tmp_path / "run_0").camera_rate_hz() == 30
    record(tmp_path / "run_1", [Message(TOPICS.image, START, grey_image(0)), *run(1)[:1]])
    with pytest.raises(BadBag, match="1 images"):
        recording_at(tmp_path / "run_1").camera_rate_hz()
