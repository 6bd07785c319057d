"""The episode store: written and read back, damaged files, mixed robots."""

import os

import numpy as np
import pytest
from grey_episodes import PREPROCESSING, episode

from hwm_core.data.episodes.store import open_store, write_episode
from hwm_core.errors import BadBag


def test_a_stored_episode_is_read_back_unchanged(tmp_path):
    for written in (episode("run_2"), episode("run_1", (5, 3), commands=False)):
        write_episode(tmp_path / "training", written, PREPROCESSING)
    store = open_store(tmp_path)
    assert [one.name for one in store.training] == ["run_1", "run_2"]
    assert (store.validation, store.preprocessing, store.manifests) == ([], PREPROCESSING, {})
    for read, written in zip(store.training, (episode("run_1", (5, 3), commands=False), episode("run_2")), strict=True):
        for field in ("frames", "stamps_ns", "segments", "states", "commands"):
            assert np.array_equal(getattr(read, field), getattr(written, field)), field
        assert read.names == written.names


def test_an_opened_episode_keeps_no_file_open(tmp_path):
    for number in range(5):
        write_episode(tmp_path / "training", episode(f"run_{number}"), PREPROCESSING)
    before = len(os.listdir("/proc/self/fd"))
    episodes = open_store(tmp_path).training
    assert len(os.listdir("/proc/self/fd")) == before
    assert len(episodes) == 5


def test_an_episode_is_never_overwritten(tmp_path):
    write_episode(tmp_path / "training", episode(), PREPROCESSING)
    with pytest.raises(BadBag, match="exists"):
        write_episode(tmp_path / "training", episode(lengths=(3,)), PREPROCESSING)
    assert len(open_store(tmp_path).training[0]) == 20


def test_a_write_that_fails_leaves_nothing_behind(tmp_path):
    torn = episode()
    object.__setattr__(torn, "names", (object(),))  # which the header cannot store
    with pytest.raises(ValueError, match="names"):
        write_episode(tmp_path, torn, PREPROCESSING)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("file", ["frames.npy", "arrays.npz"])
@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
def test_a_truncated_episode_is_rejected(tmp_path, file, share):
    damaged = write_episode(tmp_path / "training", episode(), PREPROCESSING) / file
    damaged.write_bytes(damaged.read_bytes()[: int(share * damaged.stat().st_size)])
    with pytest.raises(BadBag, match="Prepare it again"):
        open_store(tmp_path)


def test_a_store_of_mixed_robots_or_image_sizes_is_rejected(tmp_path):
    write_episode(tmp_path / "training", episode("one"), PREPROCESSING)
    write_episode(tmp_path / "validation", episode("two", names=("b", "a")), PREPROCESSING)
    with pytest.raises(BadBag, match="others in two"):
        open_store(tmp_path)
    with pytest.raises(BadBag, match="no such folder"):
        open_store(tmp_path / "nowhere")
