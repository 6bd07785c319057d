"""A small store, and a tokenizer that is trained on it once per test file."""

import pytest
from command import hwm
from small_training import SMALL, write_store


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return write_store(tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="module")
def tokenizer(store, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "tokenizer"
    hwm("train-tokenizer", "--data", str(store), "--out", str(out), *SMALL)
    return out / "tokenizer"
