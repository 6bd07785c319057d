"""Names of the precisions of arithmetic, without PyTorch: command lines and settings use them."""

from typing import Literal

Precision = Literal["auto", "bfloat16", "float32"]

PRECISION_HELP = "auto (bfloat16 where the device has instructions for it, otherwise float32)"
