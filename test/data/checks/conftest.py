"""Token sets and the data commands, for the tests of the checks."""

import numpy as np
import pytest
import yaml
from command import hwm
from grey_episodes import episode
from onex_sets import compression_test_v2, tokens_v2
from tokenised import tokenised

from hwm_core.data.episodes.store import manifest_path
from hwm_core.data.robot.manifest import fit_manifest
from hwm_core.data.tokens.store import manifest_sha256


@pytest.fixture
def command(capsys):
    """Run a data command: its exit status, and what it printed."""

    def run(*words):
        status = hwm(*words)
        output = capsys.readouterr()
        return status, output.out + output.err

    return run


@pytest.fixture
def published(tmp_path):
    """A folder as 1X publishes it: a training set, a validation set and a test set."""
    tokens_v2(tmp_path / "1x" / "train_v2.0", frames=(51, 40), cut=20, folders=True)
    tokens_v2(tmp_path / "1x" / "val_v2.0", frames=(34,))
    compression_test_v2(tmp_path / "1x" / "test_v2.0", numbers=(0, 7))
    return tmp_path / "1x"


@pytest.fixture
def pair(tmp_path):
    """A training set and a validation set of hwm with their manifest."""
    values = np.arange(20, dtype=np.float32)
    manifest = fit_manifest("robot", "states", ("a", "b"), ("rad", "rad"), np.stack([values, 2 * values], axis=1))
    checksums = {"states": manifest_sha256(manifest)}
    for split in ("training", "validation"):
        list(tokenised([episode(f"run_{split}")], tmp_path / "tokens" / split, manifests=checksums))
    manifest_path(tmp_path / "tokens", "states").write_text(yaml.safe_dump(manifest.plain()))
    return tmp_path / "tokens"
