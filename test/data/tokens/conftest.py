"""An episode store, and its tokens as a cache of training windows."""

import pytest
import yaml
from small_training import episode
from token_training import PREPROCESSING, random_tokenizer, tokenise_store
from untrained import CONTINUOUS, TOKENIZER

from hwm_core.data.episodes.store import manifest_path, write_episode
from hwm_core.data.robot.manifest import fit_manifest
from hwm_core.world_model.checkpoint import save_tokenizer


@pytest.fixture(scope="session")
def store(tmp_path_factory):
    path = tmp_path_factory.mktemp("store")
    for split, seeds in (("training", (0, 1)), ("validation", (2,))):
        for seed in seeds:
            write_episode(path / split, episode(f"run_{seed}", seed), PREPROCESSING)
    one = episode("run_0", 0)
    manifest = fit_manifest("robot", "states", one.names, ("rad", "rad"), one.states)
    manifest_path(path, "states").write_text(yaml.safe_dump(manifest.plain()))
    for name, config in (("discrete", TOKENIZER), ("continuous", CONTINUOUS)):
        save_tokenizer(path / name, random_tokenizer(config))
    return path


@pytest.fixture(scope="session")
def cache(store, tmp_path_factory):
    path = tmp_path_factory.mktemp("tokens")
    options = ["--latents", 5, "--stride", 2, "--precision", "float32"]
    assert tokenise_store(store, "--tokenizer", store / "discrete", "--out", path, *options) == 0
    return path
