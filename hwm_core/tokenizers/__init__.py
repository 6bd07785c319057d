"""Video tokenizers: video <-> codes."""

from hwm_core.tokenizers.base import VideoTokenizer
from hwm_core.tokenizers.registry import TOKENIZERS, build_tokenizer

__all__ = ["TOKENIZERS", "VideoTokenizer", "build_tokenizer"]
