"""Who hears whom and who shares what: transformer blocks as rows of data.

A block is a tuple of attention sub-layers followed by an MLP. A *group* is a name for a set of weights: streams that
carry the same group name use the same weights, so tying is by identity. Everything else about a variant (what can be
cached, which weights are ever used) is computed from these rows, see `hearing`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Literal

from hwm_core.streams import ACTIONS, PAST, VIDEO, Stream

Groups = Mapping[Stream, str]
AttendsTo = Mapping[Stream, tuple[Stream, ...]]


class Axis(Enum):
    """The tokens that one attention call runs over."""

    SPACE = "space"  # the sites of one latent
    TIME = "time"  # the latents of one site; an action token is present at every site
    ALL = "all"  # every token: each latent and site of video, each frame of actions


@dataclass(frozen=True)
class AttentionSpec:
    """One attention sub-layer."""

    name: str
    axis: Axis
    attends_to: AttendsTo  # query stream -> key streams
    query: Groups  # weights of the query projection
    key: Groups  # weights of the key and value projections
    out: Groups  # weights of the output projection
    norm: Groups  # layer norm before the projections; a stream without one is heard as it is
    causal: bool = False  # latent i hears latents <= i only
    qk_norm: Literal["none", "one", "each"] = (
        "none"  # RMS norm for all queries and one for all keys; layer norm a group
    )
    modulation: Groups = field(default_factory=dict)  # shift, scale and gate from t; norms then have no weights


@dataclass(frozen=True)
class BlockSpec:
    """Attention sub-layers in order, then an MLP for the streams that `mlp` names."""

    attention: tuple[AttentionSpec, ...]
    mlp: Groups
    modulation: Groups = field(default_factory=dict)  # as of an attention row, for the MLP
    clean: frozenset[Stream] = frozenset()  # streams modulated at t = 1, as the data they are, whatever t is


def _one(name: str, streams: tuple[Stream, ...]) -> Groups:
    return dict.fromkeys(streams, name)


def _each(streams: tuple[Stream, ...]) -> Groups:
    return {stream: stream.value for stream in streams}


def _by_modality() -> Groups:
    return {**_one("video", VIDEO), **_one("actions", ACTIONS)}


_ALL = VIDEO + ACTIONS


def _self_attention(name: str, axis: Axis, streams: tuple[Stream, ...], group: str, causal: bool) -> AttentionSpec:
    """All `streams` hear each other (over space: only themselves) with one set of weights."""
    weights = _one(group, streams)
    attends_to = {stream: (stream,) if axis is Axis.SPACE else streams for stream in streams}
    return AttentionSpec(name, axis, attends_to, query=weights, key=weights, out=weights, norm=weights, causal=causal)


def _joint(mlp: Groups, causal: bool) -> BlockSpec:
    """Spatial attention within each video latent, then joint temporal attention of all streams at each site."""
    spatial = _self_attention("spatial", Axis.SPACE, VIDEO, "video", causal=False)
    temporal = _self_attention("temporal", Axis.TIME, _ALL, "all", causal)
    return BlockSpec((spatial, temporal), mlp)


def _split(causal: bool) -> BlockSpec:
    """Self-attention of video and of actions apart, then video hears actions by cross-attention."""
    cross = AttentionSpec(
        "cross",
        Axis.TIME,
        attends_to=dict.fromkeys(VIDEO, ACTIONS),
        query=_one("video", VIDEO),
        key=_one("actions", ACTIONS),
        out=_one("video", VIDEO),
        norm=_one("video", VIDEO),
        causal=causal,
        qk_norm="one",
    )
    attention = (
        _self_attention("spatial", Axis.SPACE, VIDEO, "video", causal=False),
        _self_attention("temporal", Axis.TIME, VIDEO, "video", causal),
        _self_attention("actions", Axis.TIME, ACTIONS, "actions", causal),
        cross,
    )
    return BlockSpec(attention, mlp=_one("video", VIDEO))


def masked_block(variant: str, attention: str) -> BlockSpec:
    """A block of the masked family (paper section 2.4).

    Args:
        variant: a name in `MASKED_VARIANTS`.
        attention: "time_aligned" (latent i hears latents <= i, of video and of actions) or "bidirectional" (the paper's
            words, kept for comparison; the past then hears the future and cannot be cached).
    """
    return MASKED_VARIANTS[variant](attention == "time_aligned")


MASKED_VARIANTS = {
    "base": lambda causal: _joint(_each(_ALL), causal),
    "modality_shared": lambda causal: _joint(_by_modality(), causal),
    "fully_shared": lambda causal: _joint(_one("all", _ALL), causal),
    "split": _split,
}
"""The four variants of the paper's table 1; the weights a variant shares are those with equal group names."""


def _flow_joint(groups: Groups, attends_to: AttendsTo, qk_norm: Literal["none", "each"]) -> BlockSpec:
    """All streams in one attention over every token; what `groups` says is modulation, q, k, v and MLP alike."""
    everyone = _one("all", _ALL)
    attention = AttentionSpec(
        "joint", Axis.ALL, attends_to, groups, groups, everyone, everyone, qk_norm=qk_norm, modulation=groups
    )
    return BlockSpec((attention,), mlp=groups, modulation=groups)


def _flow_split(attends_to: AttendsTo) -> BlockSpec:
    """Every stream among its own tokens, weights by modality; then future video hears the three others."""
    modality, own = _by_modality(), {stream: (stream,) for stream in _ALL}
    context = tuple(stream for stream in attends_to[Stream.FUTURE_VIDEO] if stream is not Stream.FUTURE_VIDEO)
    future, everyone = _one("future_video", (Stream.FUTURE_VIDEO,)), _one("all", _ALL)
    attention = (
        AttentionSpec(
            "self", Axis.ALL, own, modality, modality, modality, everyone, qk_norm="each", modulation=modality
        ),
        AttentionSpec(
            "cross",
            Axis.ALL,
            attends_to={Stream.FUTURE_VIDEO: context},
            query=future,
            key=_each(context),
            out=future,
            norm=everyone,
            qk_norm="each",
            modulation=future,
        ),
    )
    return BlockSpec(attention, mlp=modality, modulation=modality)


def flow_block(variant: str, attention: str, *, last: bool = False, qk_norm: str = "paper") -> BlockSpec:
    """A block of the flow family (paper section 2.4): attention inside a chunk is full, over every token.

    Args:
        variant: a name in `FLOW_VARIANTS`.
        attention: "full" (the past is modulated by t and, in joint attention, hears the future) or "clean_context" (the
            past is modulated at t = 1 and hears no future, so that it can be cached).
        last: the last block updates only the future video, and has no MLP for the others.
        qk_norm: "paper" (queries and keys are normed where the paper's variant does so) or "always" (in every variant).
    """
    clean = attention == "clean_context"
    row = FLOW_VARIANTS[variant]({stream: PAST if clean and stream.is_past else _ALL for stream in _ALL})
    sublayers = row.attention
    if qk_norm == "always":
        sublayers = tuple(replace(part, qk_norm="each") for part in sublayers)
    mlp = {Stream.FUTURE_VIDEO: row.mlp[Stream.FUTURE_VIDEO]} if last else row.mlp
    return replace(row, attention=sublayers, mlp=mlp, clean=frozenset(PAST) if clean else frozenset())


FLOW_VARIANTS: Mapping[str, Callable[[AttendsTo], BlockSpec]] = {
    "base": lambda attends_to: _flow_joint(_each(_ALL), attends_to, "each"),
    "modality_shared": lambda attends_to: _flow_joint(_by_modality(), attends_to, "none"),
    "fully_shared": lambda attends_to: _flow_joint(_one("all", _ALL), attends_to, "none"),
    "split": _flow_split,
}
"""The four variants of the paper's table 2; the same names, and the same reading, as `MASKED_VARIANTS`."""
