"""Splits of recordings into training and validation."""

import pytest
from recordings import START, TOPICS, Message, grey_image, record

from hwm_core.data.discover import find_recordings
from hwm_core.data.episodes.split import split_by_number, split_by_share
from hwm_core.errors import BadBag


def test_a_split_by_share_is_stable_when_recordings_are_added(tmp_path):
    for number in range(12):
        record(tmp_path / f"run_{number}", [Message(TOPICS.image, START, grey_image(0))])
    recordings = find_recordings(tmp_path, TOPICS)
    all_of_them = split_by_share(recordings, 0.4, seed=1)
    some = split_by_share(recordings[3:], 0.4, seed=1)
    assert set(some.validation) <= set(all_of_them.validation) and 0 < len(some.validation) < 9
    assert split_by_number(recordings, 5).validation == ("run_0", "run_10", "run_5")
    with pytest.raises(BadBag, match="0 to validate"):
        split_by_share(recordings, 0.0)
    sides = some.apply(recordings[3:])
    assert len(sides["training"]) + len(sides["validation"]) == 9
    with pytest.raises(BadBag, match="run_0"):
        some.apply(recordings)
