"""Token sets and the data commands, for the tests of the checks."""

import numpy as np
import pytest
import yaml
from data_commands import run_command
from grey_episodes import episode
from onex_sets import compression_test_v2, tokens_v2
from tokenised import run as tokenised

from hwm_core.data.episodes.store import manifest_path
from hwm_core.data.robot.manifest import fit_manifest
from hwm_core.data.tokens.store import manifest_sha256


@pytest.fixture
def command(capsys):
    """Status, and what was printed."""

    def run(*words):
        status = run_command(*words)
        told = capsys.readouterr()
        return status, told.out + told.err

    return run


@pytest.fixture
def published(tmp_path):
    """A folder as 1X publishes it: to train on, to judge by, and a test set."""
    tokens_v2(tmp_path / "1x" / "train_v2.0", frames=(51, 40), cut=20, folders=True)
    tokens_v2(tmp_path / "1x" / "val_v2.0", frames=(34,))
    compression_test_v2(tmp_path / "1x" / "test_v2.0", numbers=(0, 7))
    return tmp_path / "1x"


@pytest.fixture
def pair(tmp_path):
    """Two sets of ours with their manifest."""
    values = np.arange(20, dtype=np.float32)
    manifest = fit_manifest("robot", "states", ("a", "b"), ("rad", "rad"), np.stack([values, 2 * values], axis=1))
    sums = {"states": manifest_sha256(manifest)}
    for side in ("training", "validation"):
        list(tokenised([episode(f"run_{side}")], tmp_path / "tokens" / side, manifests=sums))
    manifest_path(tmp_path / "tokens", "states").write_text(yaml.safe_dump(manifest.plain()))
    return tmp_path / "tokens"
