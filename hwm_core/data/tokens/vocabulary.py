"""Checks that tokens are in the vocabulary of their tokenizer."""

import numpy as np
from numpy.typing import NDArray

from hwm_core.errors import BadBag


def in_vocabulary(tokens: NDArray, vocabulary: int) -> bool:
    """Whether all codes are in the vocabulary, or all latents (vocabulary 0) are finite."""
    if not tokens.size:
        return True
    if not vocabulary:
        return bool(np.isfinite(tokens).all())
    return bool(tokens.min() >= 0 and tokens.max() < vocabulary)


def out_of_vocabulary(name: str, tokens: NDArray, vocabulary: int) -> BadBag:
    """The error for tokens that are not in the vocabulary."""
    return BadBag(
        f"Tokens of {name}",
        expected=f"codes 0 to {vocabulary - 1}" if vocabulary else "finite latents",
        got=f"{tokens.min()} to {tokens.max()}",
        remedy="The file is damaged, or has another type or tokenizer: download it or tokenise the store again.",
    )
