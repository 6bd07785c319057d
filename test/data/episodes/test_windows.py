"""From stored episodes to batches: the store, windows, augmentation."""

import os

import numpy as np
import pytest
import torch
from grey_episodes import PREPROCESSING, episode, manifest

from hwm_core.data.episodes.augment import Augmentation
from hwm_core.data.episodes.store import open_store, write_episode
from hwm_core.data.episodes.windows import Windows, window_starts
from hwm_core.errors import BadActions, BadBag, RobotMismatch


def test_windows_stay_within_a_segment():
    some = episode(lengths=(5, 3, 7))
    assert window_starts(some.segments, 5).tolist() == [0, 8, 9, 10]
    assert window_starts(some.segments, 3, stride=2).tolist() == [0, 2, 5, 8, 10, 12]
    assert window_starts(some.segments, 8).tolist() == []
    windows = Windows([some, episode("other")], manifest(), past_frames=2, future_frames=3)
    for window in windows:
        shown = window.frames[:, 0, 0, 0]
        assert (shown.diff() == 1).all()


def test_a_window_holds_each_frame_with_its_own_action_in_manifest_order():
    windows = Windows([episode()], manifest(names=("b", "a")), past_frames=2, future_frames=3, stride=5)
    window = windows[1]
    assert window.frames.dtype == torch.uint8 and window.frames.shape == (5, 3, 8, 8)
    assert window.frames[:, 1, 4, 4].tolist() == [5, 6, 7, 8, 9]
    assert window.actions.tolist() == [[2.0 * t, t] for t in range(5, 10)]
    commands = Windows([episode()], manifest("commands"), past_frames=2, future_frames=3)
    assert commands[3].actions[:, 0].tolist() == [-3, -4, -5, -6, -7]


def test_windows_without_a_manifest_have_no_actions():
    assert Windows([episode()], None, 1, 8)[0].actions.shape == (9, 0)


def test_windows_that_cannot_be_are_rejected():
    with pytest.raises(BadBag, match="longest segment 7"):
        Windows([episode(lengths=(5, 7))], manifest(), 4, 4)
    with pytest.raises(BadBag, match="0 episodes"):
        Windows([], manifest(), 4, 4)
    with pytest.raises(BadActions, match="expected commands"):
        Windows([episode(commands=False)], manifest("commands"), 2, 2)
    with pytest.raises(RobotMismatch, match="among them c"):
        Windows([episode()], manifest(names=("a", "c")), 2, 2)


def test_what_is_stored_comes_back(tmp_path):
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
    object.__setattr__(torn, "names", (object(),))  # what the header cannot hold
    with pytest.raises(ValueError, match="names"):
        write_episode(tmp_path, torn, PREPROCESSING)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("file", ["frames.npy", "arrays.npz"])
@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
def test_a_stored_episode_cut_short_is_rejected(tmp_path, file, share):
    damaged = write_episode(tmp_path / "training", episode(), PREPROCESSING) / file
    damaged.write_bytes(damaged.read_bytes()[: int(share * damaged.stat().st_size)])
    with pytest.raises(BadBag, match="Prepare it again"):
        open_store(tmp_path)


def test_a_store_of_mixed_robots_or_pictures_is_rejected(tmp_path):
    write_episode(tmp_path / "training", episode("one"), PREPROCESSING)
    write_episode(tmp_path / "validation", episode("two", names=("b", "a")), PREPROCESSING)
    with pytest.raises(BadBag, match="others in two"):
        open_store(tmp_path)
    with pytest.raises(BadBag, match="training"):
        open_store(tmp_path / "nowhere")


def test_augmentation_repeats_with_its_seed_and_strength_0_changes_nothing():
    frames, actions = torch.rand(3, 4, 3, 8, 8), torch.randn(3, 4, 2)

    def augmented(strengths, seed=0):
        generator = torch.Generator().manual_seed(seed)
        return strengths.frames(frames, generator), strengths.actions(actions, generator)

    off = Augmentation(shift=0, colour=0, action_noise=0, joint_dropout=0)
    for changed, given in zip(augmented(off), (frames, actions), strict=True):
        assert torch.equal(changed, given)
    for first, second, other in zip(augmented(Augmentation()), augmented(Augmentation()), augmented(Augmentation(), 1)):
        assert torch.equal(first, second) and not torch.equal(first, other)


def test_all_frames_of_a_window_move_alike_and_windows_move_apart():
    still = torch.rand(16, 1, 3, 8, 8).expand(-1, 5, -1, -1, -1)
    moved = Augmentation(shift=3, colour=0.2).frames(still, torch.Generator().manual_seed(0))
    assert (moved == moved[:, :1]).all()
    assert moved.min() >= 0 and moved.max() <= 1
    # 49 shifts are possible; of 16 draws some differ.
    ramp = torch.arange(8.0)[None, None, None, None, :].expand(16, 1, 3, 8, 8) / 8
    shifted = Augmentation(shift=3, colour=0).frames(ramp, torch.Generator().manual_seed(0))
    assert len(shifted[:, 0, 0, 0, 4].unique()) > 3


def test_a_shift_repeats_the_edge():
    ramp = torch.arange(1.0, 9)[None, None, None, None, :].expand(64, 1, 3, 8, 8) / 8
    shifted = Augmentation(shift=2, colour=0).frames(ramp, torch.Generator().manual_seed(0))[:, 0, 0, 0] * 8
    possible = [[max(1, min(8, x + offset)) for x in range(1, 9)] for offset in range(-2, 3)]
    assert sorted(set(map(tuple, shifted.tolist()))) == sorted(map(tuple, possible))


def test_a_dropped_joint_is_silent_for_the_whole_window():
    actions = torch.ones(100, 6, 5)
    dropped = Augmentation(action_noise=0.1, joint_dropout=0.5).actions(actions, torch.Generator().manual_seed(0))
    silent = dropped == 0
    assert (silent == silent[:, :1]).all()
    assert 0.4 < silent.float().mean() < 0.6
