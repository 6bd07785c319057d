"""A small store, and a tokenizer that is trained on it once per test file."""

import pytest
from small_training import SMALL, write_store

from training import train_tokenizer


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return write_store(tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="module")
def tokenizer(store, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "tokenizer"
    train_tokenizer.main(["--data", str(store), "--out", str(out), *SMALL])
    return out / "tokenizer"
