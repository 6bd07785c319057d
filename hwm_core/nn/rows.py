"""Who hears whom and who shares what: transformer blocks as rows of data.

A block is a tuple of attention sub-layers followed by an MLP. A *group* is a name for a set of weights: streams that
carry the same group name use the same weights, so tying is by identity. Everything else about a variant (what can be
cached, which weights are ever used) is computed from these rows, see `hearing`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from hwm_core.streams import ACTIONS, VIDEO, Stream

Groups = Mapping[Stream, str]


class Axis(Enum):
    """The tokens that one attention call runs over."""

    SPACE = "space"  # the sites of one latent
    TIME = "time"  # the latents of one site; an action token is present at every site


@dataclass(frozen=True)
class AttentionRow:
    """One attention sub-layer."""

    name: str
    axis: Axis
    hears: Mapping[Stream, tuple[Stream, ...]]  # query stream -> key streams
    query: Groups  # weights of the query and output projections
    key: Groups  # weights of the key and value projections
    norm: Groups  # layer norm before the projections; a stream without one is heard as it is
    causal: bool = False  # latent i hears latents <= i only
    qk_norm: bool = False


@dataclass(frozen=True)
class BlockRow:
    """Attention sub-layers in order, then an MLP for the streams that `mlp` names."""

    attention: tuple[AttentionRow, ...]
    mlp: Groups


def _one(name: str, streams: tuple[Stream, ...]) -> Groups:
    return dict.fromkeys(streams, name)


def _each(streams: tuple[Stream, ...]) -> Groups:
    return {stream: stream.value for stream in streams}


_ALL = VIDEO + ACTIONS


def _self_attention(name: str, axis: Axis, streams: tuple[Stream, ...], group: str, causal: bool) -> AttentionRow:
    """All `streams` hear each other (over space: only themselves) with one set of weights."""
    weights = _one(group, streams)
    hears = {stream: (stream,) if axis is Axis.SPACE else streams for stream in streams}
    return AttentionRow(name, axis, hears, query=weights, key=weights, norm=weights, causal=causal)


def _joint(mlp: Groups, causal: bool) -> BlockRow:
    """Spatial attention within each video latent, then joint temporal attention of all streams at each site."""
    spatial = _self_attention("spatial", Axis.SPACE, VIDEO, "video", causal=False)
    temporal = _self_attention("temporal", Axis.TIME, _ALL, "all", causal)
    return BlockRow((spatial, temporal), mlp)


def _split(causal: bool) -> BlockRow:
    """Self-attention of video and of actions apart, then video hears actions by cross-attention."""
    cross = AttentionRow(
        "cross",
        Axis.TIME,
        hears=dict.fromkeys(VIDEO, ACTIONS),
        query=_one("video", VIDEO),
        key=_one("actions", ACTIONS),
        norm=_one("video", VIDEO),
        causal=causal,
        qk_norm=True,
    )
    attention = (
        _self_attention("spatial", Axis.SPACE, VIDEO, "video", causal=False),
        _self_attention("temporal", Axis.TIME, VIDEO, "video", causal),
        _self_attention("actions", Axis.TIME, ACTIONS, "actions", causal),
        cross,
    )
    return BlockRow(attention, mlp=_one("video", VIDEO))


def masked_row(variant: str, mask: str) -> BlockRow:
    """A block of the masked family (paper section 2.4).

    Args:
        variant: a name in `MASKED_VARIANTS`.
        mask: "time_aligned" (latent i hears latents <= i, of video and of actions) or "bidirectional" (the paper's
            words, kept for comparison; the past then hears the future and cannot be cached).
    """
    return MASKED_VARIANTS[variant](mask == "time_aligned")


MASKED_VARIANTS = {
    "base": lambda causal: _joint(_each(_ALL), causal),
    "modality_shared": lambda causal: _joint({**_one("video", VIDEO), **_one("actions", ACTIONS)}, causal),
    "fully_shared": lambda causal: _joint(_one("all", _ALL), causal),
    "split": _split,
}
"""The four variants of the paper's table 1; the weights a variant shares are those with equal group names."""
