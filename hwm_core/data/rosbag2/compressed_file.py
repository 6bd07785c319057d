"""Files of a bag that the recorder compressed as a whole."""

import shutil
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow

ZSTD_SUFFIX = ".zstd"
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"


def decompressed_path(path: Path, stack: ExitStack) -> Path:
    """The file itself, or a decompressed copy that `stack` removes. The first bytes decide, not the name."""
    with path.open("rb") as contents:
        if contents.read(len(ZSTD_MAGIC)) != ZSTD_MAGIC:
            return path
    folder = Path(stack.enter_context(TemporaryDirectory()))
    copy = folder / path.name.removesuffix(ZSTD_SUFFIX)
    with pyarrow.CompressedInputStream(pyarrow.OSFile(str(path)), "zstd") as packed, copy.open("wb") as out:
        shutil.copyfileobj(packed, out, 1 << 20)
    return copy
