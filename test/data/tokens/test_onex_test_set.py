"""The test set of the 1X compression challenge."""

import numpy as np
import pytest
from onex_sets import compression_test_v2

from hwm_core.data.tokens.onex_test_set import open_test_samples
from hwm_core.errors import BadBag


def test_test_samples_have_three_grids_and_the_states_of_past_and_future(tmp_path):
    for number in range(11):  # 10 comes after 9, not after 1
        np.full((3, 32, 32), number, np.int32).tofile(tmp_path / f"video_{number}.bin")
        np.full((64, 25), number, np.float32).tofile(tmp_path / f"states_{number}.bin")
    samples = open_test_samples(tmp_path)
    assert samples.tokens.shape == (11, 3, 32, 32) and samples.states.shape == (11, 64, 25)
    assert samples.tokens[:, 0, 0, 0].tolist() == samples.states[:, 0, 0].tolist() == list(range(11))


def test_a_test_sample_without_a_number_is_rejected_with_its_name(tmp_path):
    path = compression_test_v2(tmp_path / "test")
    (path / "video_1.bin").rename(path / "video_x.bin")
    with pytest.raises(BadBag, match=r"expected video_NUMBER\.bin, got `video_x\.bin`"):
        open_test_samples(path)
