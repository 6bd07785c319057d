"""Metadata of 1X sets, v2.0 and v1.1, and the fields that hwm adds to v2.0; only the used fields are read."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, PositiveInt

from hwm_core.data.recording.preprocessing import Preprocessing
from hwm_core.data.robot.manifest import ActionKind
from hwm_core.data.tokens.tokenizer_spec import TokenizerSpec
from hwm_core.errors import BadBag
from hwm_core.io.json_files import JsonFields

SETTINGS_FILE = "tokenise.json"  # of a set that hwm makes: its settings, written before the first shard

Count = Annotated[int, Field(ge=0, strict=True)]
_REMEDY = "The file is damaged: download the set again, or tokenise the store again if hwm made the set."
# The tokenizer of 1X's v2.0 sets; their metadata.json does not name it.
COSMOS = TokenizerSpec(
    kind="cosmos", codes="discrete", levels=(8, 8, 8, 5, 5, 5), latent_channels=6, temporal_factor=8, spatial_factor=8
)


class HwmMetadata(JsonFields):
    """`metadata.json["hwm"]`: what the 1X format does not specify. The defaults are the values of 1X's own sets."""

    clip_frames: PositiveInt = 17
    stride: PositiveInt | None = None
    dtype: Literal["int32", "uint16", "float16", "float32"] = "int32"
    shape: tuple[PositiveInt, ...] = Field(default=(3, 32, 32), min_length=3, max_length=4)
    tokenizer: TokenizerSpec = COSMOS
    kinds: tuple[ActionKind, ...] = ("states",)
    names: tuple[str, ...] | None = None
    manifests: dict[ActionKind, str] | None = None
    preprocessing: Preprocessing | None = None
    episodes: tuple[str, ...] = ()


class SetMetadata(JsonFields):
    """metadata.json of a v2.0 set, tokens or raw."""

    num_shards: Annotated[int, Field(gt=0, strict=True)]
    num_images: Count | None = None  # of all shards
    hz: float = Field(default=30, gt=0, allow_inf_nan=False)
    hwm: HwmMetadata = HwmMetadata()


class ShardMetadata(JsonFields):
    """metadata_i.json of a v2.0 shard."""

    shard_num_frames: Count
    shape: tuple[PositiveInt, ...] | None = None  # [T, h, w(, C)] of a clip; in hwm's shards that have clips


class SetMetadataV1(JsonFields):
    """metadata.json of a v1.1 set."""

    num_images: Count
    s: PositiveInt  # height and width of a grid
    vocab_size: Annotated[int, Field(gt=0, strict=True)] = 2**18
    token_dtype: Literal["uint16", "uint32", "int32", "int64"] = "uint32"
    hz: float = Field(default=30, gt=0, allow_inf_nan=False)


def read_metadata(path: Path) -> SetMetadata:
    """Metadata of the v2.0 set in a folder. Raises BadBag when the file is absent, truncated or wrong."""
    return SetMetadata.from_json(_metadata_file(path), _REMEDY)


def read_metadata_v1(path: Path) -> SetMetadataV1:
    """Metadata of the v1.1 set in a folder. Raises BadBag when the file is absent, truncated or wrong."""
    return SetMetadataV1.from_json(_metadata_file(path), _REMEDY)


def read_shard(file: Path) -> ShardMetadata:
    """Metadata of a shard. Raises BadBag when the file is absent, truncated or wrong."""
    return ShardMetadata.from_json(file, _REMEDY)


def _metadata_file(path: Path) -> Path:
    if not (file := path / "metadata.json").exists():
        raise BadBag(
            f"Set {path}",
            expected="its metadata.json",
            got="no such file",
            remedy="Download it, or tokenise the store again if hwm made the set. (A test set has no metadata.json: it "
            "has only pairs of video_N.bin and states_N.bin.)",
        )
    return file
