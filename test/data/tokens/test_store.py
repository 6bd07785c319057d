"""Token stores: two sets that must fit each other."""

import json
import shutil

import pytest
from token_training import PREPROCESSING, tokenise_store

from hwm_core.data.episodes.store import manifest_path
from hwm_core.data.tokens.store import open_token_store
from hwm_core.errors import BadBag, BadConfig


def test_a_changed_manifest_and_splits_of_different_settings_are_rejected(store, cache, tmp_path):
    shutil.copytree(cache, tmp_path / "set")
    file = manifest_path(tmp_path / "set", "states")
    file.write_text(file.read_text().replace("neck_yaw", "neck_pan"))
    with pytest.raises(BadConfig, match="the manifest of the tokenised store"):
        open_token_store(tmp_path / "set")
    shutil.rmtree(tmp_path / "set" / "validation")
    with pytest.raises(BadBag, match=r"one set named val.*got none"):
        open_token_store(tmp_path / "set")
    tokenise_store(store, "--tokenizer", store / "discrete", "--out", tmp_path / "other", "--stride", 3)
    shutil.copytree(tmp_path / "other" / "validation", tmp_path / "set" / "validation")
    with pytest.raises(BadConfig, match="clip_frames: expected the same in validation as in training"):
        open_token_store(tmp_path / "set")


def rewritten(file, **changes):
    """Change the metadata of a set."""
    metadata = json.loads(file.read_text())
    metadata.get("hwm", metadata).update(changes)
    file.write_text(json.dumps(metadata))


SHARED = {
    "preprocessing": {**PREPROCESSING.plain(), "source_aspect": 1.5},
    "names": ["left_elbow", "neck_yaw"],
    "clip_frames": 13,
    "stride": 3,
    "manifests": {"states": "0" * 64},
}


@pytest.mark.parametrize("key", SHARED)
@pytest.mark.parametrize("side", ["training", "validation"])
def test_splits_that_differ_in_a_shared_setting_are_rejected_with_its_name(cache, tmp_path, key, side):
    path = shutil.copytree(cache, tmp_path / "set")
    open_token_store(path)
    rewritten(path / side / "metadata.json", **{key: SHARED[key]})
    with pytest.raises(BadConfig, match=f"{key}: expected the same in validation as in training, got another"):
        open_token_store(path)


@pytest.mark.parametrize(
    ("key", "value"), [("sha256", "0" * 64), ("levels", [25]), ("kind", "mine"), ("temporal_factor", 2)]
)
def test_splits_of_different_tokenizers_are_rejected_with_the_difference(cache, tmp_path, key, value):
    path = shutil.copytree(cache, tmp_path / "set")
    file = path / "validation" / "metadata.json"
    rewritten(file, tokenizer={**json.loads(file.read_text())["hwm"]["tokenizer"], key: value})
    with pytest.raises(BadConfig, match=f"tokenizer: expected {key}"):
        open_token_store(path)
