"""What metadata.json of a 1X set says, of v2.0, v1.1 and ours: the fields used, checked."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, PositiveInt

from hwm_core.data.recording.preprocessing import Preprocessing
from hwm_core.data.robot.manifest import ActionKind
from hwm_core.data.tokens.tokenizer_spec import TokenizerSpec
from hwm_core.errors import BadBag
from hwm_core.io.json_files import JsonFields

Count = Annotated[int, Field(ge=0, strict=True)]
_REMEDY = "The file is damaged; download the set again, or tokenise the store again where it is yours."
COSMOS = TokenizerSpec(
    kind="cosmos", codes="discrete", levels=(8, 8, 8, 5, 5, 5), latent_channels=6, temporal_factor=8, spatial_factor=8
)
"""Which tokenizer made 1X's v2.0: its metadata.json leaves it unsaid, and ours says it."""


class HwmMetadata(JsonFields):
    """What 1X's own v2.0 leaves unsaid, and ours says under `hwm`. The defaults are those of 1X."""

    clip_frames: PositiveInt = 17
    stride: PositiveInt | None = None
    dtype: Literal["int32", "uint16", "float16", "float32"] = "int32"
    shape: tuple[PositiveInt, ...] = Field(default=(3, 32, 32), min_length=3, max_length=4)
    codes: TokenizerSpec = COSMOS
    kinds: tuple[ActionKind, ...] = ("states",)
    names: tuple[str, ...] | None = None
    manifests: dict[ActionKind, str] | None = None
    preprocessing: Preprocessing | None = None
    episodes: tuple[str, ...] = ()


class SetMetadata(JsonFields):
    """Of a set of v2.0, tokens or raw."""

    num_shards: Annotated[int, Field(gt=0, strict=True)]
    num_images: Count | None = None  # of all shards
    hz: float = Field(default=30, gt=0, allow_inf_nan=False)
    hwm: HwmMetadata = HwmMetadata()


class ShardMetadata(JsonFields):
    """Of one shard of v2.0; the shape [T, h, w(, C)] of its clips is ours, of one that has any."""

    shard_num_frames: Count
    shape: tuple[PositiveInt, ...] | None = None


class SetMetadataV1(JsonFields):
    """Of a set of v1.1."""

    num_images: Count
    s: PositiveInt  # height and width of a grid
    vocab_size: Annotated[int, Field(gt=0, strict=True)] = 2**18
    token_dtype: Literal["uint16", "uint32", "int32", "int64"] = "uint32"
    hz: float = Field(default=30, gt=0, allow_inf_nan=False)


def read_metadata(path: Path) -> SetMetadata:
    """Of the set in a folder. Raises BadBag where the file is absent, cut or wrong."""
    return SetMetadata.from_json(_metadata_file(path), _REMEDY)


def read_metadata_v1(path: Path) -> SetMetadataV1:
    """Of the set of v1.1 in a folder. Raises BadBag where the file is absent, cut or wrong."""
    return SetMetadataV1.from_json(_metadata_file(path), _REMEDY)


def read_shard(file: Path) -> ShardMetadata:
    """Raises BadBag where the file is absent, cut or wrong."""
    return ShardMetadata.from_json(file, _REMEDY)


def _metadata_file(path: Path) -> Path:
    if not (file := path / "metadata.json").exists():
        raise BadBag(
            f"Set {path}",
            expected="its metadata.json",
            got="no such file",
            remedy="Download it, or tokenise the store again where the set is yours. A test set has none: only "
            "video_N.bin with states_N.bin beside them.",
        )
    return file
