"""Video <-> codes."""

from hwm_core.tokenizers.base import DiscreteTokenizer, VideoTokenizer
from hwm_core.tokenizers.registry import TOKENIZERS, build_tokenizer

__all__ = ["TOKENIZERS", "DiscreteTokenizer", "VideoTokenizer", "build_tokenizer"]
