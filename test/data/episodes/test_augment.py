"""Augmentation of frames and actions."""

import torch

from hwm_core.data.episodes.augment import Augmentation


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


def test_all_frames_of_a_window_share_one_draw_and_windows_differ():
    still = torch.rand(16, 1, 3, 8, 8).expand(-1, 5, -1, -1, -1)
    moved = Augmentation(shift=3, colour=0.2).frames(still, torch.Generator().manual_seed(0))
    assert (moved == moved[:, :1]).all()
    assert moved.min() >= 0 and moved.max() <= 1
    # 49 shifts are possible, so 16 draws differ.
    ramp = torch.arange(8.0)[None, None, None, None, :].expand(16, 1, 3, 8, 8) / 8
    shifted = Augmentation(shift=3, colour=0).frames(ramp, torch.Generator().manual_seed(0))
    assert len(shifted[:, 0, 0, 0, 4].unique()) > 3


def test_a_shift_repeats_the_edge():
    ramp = torch.arange(1.0, 9)[None, None, None, None, :].expand(64, 1, 3, 8, 8) / 8
    shifted = Augmentation(shift=2, colour=0).frames(ramp, torch.Generator().manual_seed(0))[:, 0, 0, 0] * 8
    possible = [[max(1, min(8, x + offset)) for x in range(1, 9)] for offset in range(-2, 3)]
    assert sorted(set(map(tuple, shifted.tolist()))) == sorted(map(tuple, possible))


def test_a_dropped_joint_is_zero_for_the_whole_window():
    actions = torch.ones(100, 6, 5)
    dropped = Augmentation(action_noise=0.1, joint_dropout=0.5).actions(actions, torch.Generator().manual_seed(0))
    silent = dropped == 0
    assert (silent == silent[:, :1]).all()
    assert 0.4 < silent.float().mean() < 0.6
