"""Controllers without a world model: they learn from recorded images, joints and commands."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from sim_store import PREPROCESSING, wave, write_sim_store

from hwm_core.data.episodes.store import open_store
from hwm_core.errors import BadBag, BadCheckpoint, RobotMismatch
from hwm_core.evaluation.closed_loop.baselines.files import read_baselines
from hwm_core.evaluation.closed_loop.baselines.fit import fit_baselines
from hwm_core.evaluation.closed_loop.baselines.inverse import InverseDrive
from hwm_core.evaluation.closed_loop.baselines.moves import smooth_move
from hwm_core.evaluation.closed_loop.baselines.nearest import MotionLibrary
from hwm_core.evaluation.closed_loop.baselines.posture import PostureDrive
from hwm_core.evaluation.closed_loop.baselines.proposals import (
    InverseProposals,
    PostureProposals,
    ProposalConfig,
    RetrievedProposals,
)
from hwm_core.evaluation.closed_loop.baselines.samples import CHUNK_FRAMES, PairSampler
from hwm_core.evaluation.closed_loop.controller import Situation
from hwm_core.evaluation.sim_observer import SimObservation
from hwm_core.planning.dynamics import Goal
from hwm_core.planning.joint_space import JointSpace
from hwm_core.sim.description import joints


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Path:
    return write_sim_store(tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="module")
def fitted(store, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("baselines") / "fitted"
    fit_baselines(open_store(store), store, out, minutes=0.005, seed=0, report=lambda *_: None)
    return out


def situation(goal, manifest) -> Situation:
    space = JointSpace.from_manifest(manifest, 15.0, 3.0)
    return Situation(goal, space, joints().names, frames=30, seed=0)


def seen(image, action) -> SimObservation:
    return SimObservation(image[None], np.asarray(action, np.float32)[None], np.zeros(0))


def test_the_library_returns_the_motion_between_two_recorded_images(store):
    opened = open_store(store)
    episode, manifest = opened.training[1], opened.manifests["commands"]
    library = MotionLibrary(opened.training, manifest)
    actions = library.nearest(episode.frames[4], episode.frames[20], episode.commands[4])
    np.testing.assert_allclose(actions, episode.commands[5:21], atol=1e-5)


def test_pairs_stay_in_one_segment_and_their_actions_end_at_the_second_image(store):
    manifest = open_store(store).manifests["commands"]
    episode = wave(0)
    pairs = PairSampler([episode], manifest, seed=0).draw(200)
    actions = torch.from_numpy(manifest.normalise(manifest.actions_of(episode)))
    for action, chunk, frames in zip(pairs.action, pairs.chunk, pairs.frames.int().tolist(), strict=True):
        first = int((actions - action).abs().sum(dim=1).argmin())
        assert first // 30 == (first + frames) // 30 or frames < 30
        ahead = actions[[min(first + k, first + frames) for k in range(1, CHUNK_FRAMES + 1)]] - action
        assert first + frames < 60
        torch.testing.assert_close(chunk, ahead)


def test_a_smooth_move_arrives_at_rest():
    move = smooth_move(np.zeros(2, np.float32), np.ones(2, np.float32), 20)
    np.testing.assert_allclose(move[-1], 1)
    assert np.abs(move[0]).max() < 0.01
    assert np.abs(move[-1] - move[-2]).max() < 0.01


def test_the_posture_drive_moves_by_the_difference_of_the_two_readings(store):
    manifest = open_store(store).manifests["commands"]

    def brightness(images, numbers):
        return images.mean(dim=(1, 2, 3))[:, None].expand(-1, manifest.dim)

    mean, std = torch.zeros(manifest.dim), torch.full((manifest.dim,), 2.0)
    drive = PostureDrive(situation(np.full((16, 16, 3), 102, np.uint8), manifest), brightness, mean, std)
    decision = drive.decide(seen(np.full((16, 16, 3), 51, np.uint8), joints().home))
    np.testing.assert_allclose(decision.actions[-1], joints().home + 2.0 * 0.2, atol=1e-5)


def test_fitted_baselines_decide_the_same_after_they_are_read_again(store, fitted):
    manifest = open_store(store).manifests["commands"]
    goal, now = wave(1).frames[8], wave(1).frames[0]
    decisions = []
    for baselines in (read_baselines(fitted), read_baselines(fitted)):
        drive = InverseDrive(situation(goal, manifest), baselines.networks["inverse"], baselines.mean, baselines.std)
        decisions.append(drive.decide(seen(now, joints().home)).actions)
    assert decisions[0].shape == (CHUNK_FRAMES, manifest.dim)
    np.testing.assert_array_equal(*decisions)
    baselines = read_baselines(fitted)
    assert baselines.view.preprocessing == PREPROCESSING
    assert baselines.description.training["posture"]["steps"] >= 1


def test_missing_or_damaged_baselines_are_rejected(fitted, tmp_path):
    with pytest.raises(BadBag, match="fit-baselines"):
        read_baselines(tmp_path)
    for file in fitted.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "inverse.safetensors").write_bytes(b"no weights")
    with pytest.raises(BadCheckpoint, match=r"inverse\.safetensors"):
        read_baselines(tmp_path)


def test_a_search_may_choose_among_what_the_baselines_would_do(store, fitted):
    manifest, baselines = open_store(store).manifests["commands"], read_baselines(fitted)
    space = JointSpace.from_manifest(manifest, 15.0, 3.0)
    home = torch.from_numpy(joints().home).float()
    goal = Goal(torch.full((3, 16, 16), 0.4), torch.zeros(1, 1, 1))

    def brightness(images, numbers):
        return images.mean(dim=(1, 2, 3))[:, None].expand(-1, manifest.dim)

    def dark(past):
        return torch.full((3, 16, 16), 0.2)

    generator, recent = torch.Generator().manual_seed(0), home.repeat(2, 1)
    posture = PostureProposals(brightness, torch.full((manifest.dim,), 2.0), dark)
    moves = posture(None, goal, recent, space, generator, 6)
    assert moves.shape == (6, 32, manifest.dim)
    torch.testing.assert_close(moves[0, -1], home + 0.4)
    assert ((moves[1:, -1] - home - 0.4).abs() < 0.6 * space.scale).all()
    inverse = InverseProposals(baselines.networks["inverse"], baselines.mean, baselines.std, dark)
    chunks = inverse(None, goal, recent, space, generator, 6)
    assert chunks.shape == (6, CHUNK_FRAMES, manifest.dim)
    assert chunks.isfinite().all()


def test_retrieved_motions_are_the_nearest_ones_of_the_library_padded_to_one_length(store):
    opened = open_store(store)
    episode, manifest = opened.training[1], opened.manifests["commands"]
    library = MotionLibrary(opened.training, manifest)
    now, goal = (torch.from_numpy(episode.frames[k]).movedim(-1, 0).float() / 255 for k in (4, 20))
    recent = torch.from_numpy(episode.commands[3:5])
    propose = RetrievedProposals(library, lambda past: past)
    proposed = propose(now, Goal(goal, torch.zeros(1, 1, 1)), recent, None, torch.Generator(), 5)
    assert proposed.shape[0] == 5 and proposed.shape[2] == manifest.dim
    nearest = library.nearest(episode.frames[4], episode.frames[20], episode.commands[4])
    np.testing.assert_allclose(proposed[0, : len(nearest)], nearest, atol=1e-6)
    np.testing.assert_allclose(proposed[0, len(nearest) :], np.tile(nearest[-1], (len(proposed[0]) - len(nearest), 1)))


def test_proposals_of_a_folder_are_those_asked_for(store, fitted):
    view = read_baselines(fitted).view
    assert ProposalConfig().proposers(view, "cpu") == []
    config = ProposalConfig(baselines=str(fitted), kinds=("inverse", "retrieved"))
    assert [proposer.name for proposer in config.proposers(view, "cpu")] == ["inverse", "retrieved"]


def test_baselines_of_another_robot_or_camera_are_rejected(fitted):
    view = read_baselines(fitted).view
    config = ProposalConfig(baselines=str(fitted))
    for other in (
        replace(view, manifest=view.manifest.model_copy(update={"names": view.manifest.names[::-1]})),
        replace(view, preprocessing=view.preprocessing.model_copy(update={"height": 32})),
    ):
        with pytest.raises(RobotMismatch, match="Fit baselines"):
            config.proposers(other, "cpu")
    with pytest.raises(BadBag, match="fit-baselines"):
        ProposalConfig(baselines="nowhere").proposers(view, "cpu")
