"""Manifests measured without an episode store."""

import numpy as np
import pytest
import yaml

from hwm_core.data.checks.manifests import measure_manifests
from hwm_core.data.robot.description import Robot
from hwm_core.data.tokens.episodes import TokenEpisode
from hwm_core.data.tokens.onex import open_episodes, open_tokens
from hwm_core.data.tokens.onex_joints import EVE_STATES
from hwm_core.errors import RobotMismatch


def shard(states, segments=None, tokens=None, vocabulary=4):
    count = len(states)
    tokens = np.zeros((count, 1, 2, 2), np.int32) if tokens is None else tokens
    segments = np.zeros(count, np.int32) if segments is None else segments
    return TokenEpisode("one", tokens, 1, vocabulary, 30.0, segments, ("a", "b"), states.astype(np.float32))


def test_statistics_of_token_sets_are_fitted_to_their_states(published, pair, tmp_path, command):
    out = tmp_path / "eve.yaml"
    assert command("statistics", published / "train_v2.0", "--embodiment", "1x_eve", "--out", out)[0] == 2  # 50 of 0..1
    for name in ("left_hand_closure", "right_hand_closure"):
        column = EVE_STATES.index(name)
        for file in published.rglob("states_*.bin"):
            values = np.fromfile(file, np.float32).reshape(-1, 25)
            values[:, column] /= 100
            values.tofile(file)
    for file in published.rglob("states_*.bin"):
        (np.fromfile(file, np.float32) / 10).tofile(file)
    status, output = command("statistics", published, "--embodiment", "1x_eve", "--out", out)
    assert status == 0 and "states of 1x_eve" in output
    every = [one.states for name in ("test", "train", "val") for one in open_episodes(published / f"{name}_v2.0")]
    written = yaml.safe_load(out.read_text())["states"]
    np.testing.assert_allclose(written["mean"], np.concatenate(every).astype(np.float64).mean(axis=0))
    assert written["units"][-4:] == ["unit", "unit", "m/s", "rad/s"]
    manifests = measure_manifests(
        [one for side in sorted(path for path in pair.iterdir() if path.is_dir()) for one in open_tokens(side)],
        Robot(name="r"),
    )
    assert set(manifests) == {"states", "commands"} and manifests["commands"].lower[0] == -19


def test_token_episodes_with_reordered_joints_are_reordered_and_with_other_joints_rejected():
    t = np.arange(9.0)
    one = shard(np.stack([t, 10 * t], axis=1))
    other = shard(np.stack([10 * t, t], axis=1))
    other = TokenEpisode(**{**vars(other), "names": ("b", "a")})
    assert measure_manifests([one, other], Robot(name="r"))["states"].upper == (8, 80)
    with pytest.raises(RobotMismatch, match="expected 2 joints, among them b"):
        measure_manifests([one, TokenEpisode(**{**vars(other), "names": ("a", "c")})], Robot(name="r"))
