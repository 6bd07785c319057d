"""The tokenizer spec."""

import torch
from token_training import random_tokenizer
from untrained import TOKENIZER

from hwm_core.data.tokens.tokenizer_spec import spec_of


def test_tuning_the_decoder_keeps_the_checksum_of_the_tokenizer(monkeypatch):
    tokenizer = random_tokenizer(TOKENIZER)
    before = spec_of(tokenizer)
    torch.nn.init.normal_(tokenizer.first_head.weight)
    assert spec_of(tokenizer) == before
    torch.nn.init.normal_(tokenizer.first_stem.weight)
    assert spec_of(tokenizer).sha256 != before.sha256
    monkeypatch.setattr(type(tokenizer), "codes_sha256", "of its files")  # as for an external tokenizer
    assert spec_of(tokenizer).sha256 == "of its files"
