"""Transformer blocks as data: which streams attend to which, and which streams share weights.

A block is a tuple of attention sub-layers followed by an MLP. A *group* is a name for a set of weights: streams with
the same group name use the same weights. A variant of the paper is a row of a table, not a class. All else about a
variant (what can be cached, which weights are used at all) is computed from its specs, see `reachability`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Literal

from hwm_core.streams import ACTIONS, PAST, VIDEO, Stream

Groups = Mapping[Stream, str]
"""Stream -> the name of its set of weights."""
AttendsTo = Mapping[Stream, tuple[Stream, ...]]
"""Stream of queries -> the streams of keys and values that it attends to."""


class Axis(Enum):
    """The tokens that attend to each other in one attention call. A site is one spatial position of a latent."""

    SPACE = "space"  # the sites of one latent
    TIME = "time"  # the latents at one site; an action token is present at every site
    ALL = "all"  # every token: each latent and site of video, each frame of actions


@dataclass(frozen=True)
class AttentionSpec:
    """One attention sub-layer."""

    name: str
    axis: Axis
    attends_to: AttendsTo
    query: Groups  # weights of the query projection
    key: Groups  # weights of the key and value projections
    out: Groups  # weights of the output projection
    norm: Groups  # layer norm before the projections; a stream without a group is not normalised
    causal: bool = False  # latent i attends to latents <= i only
    qk_norm: Literal["none", "rms", "layer"] = "none"  # one RMS norm for all groups, or a layer norm for each group
    modulation: Groups = field(default_factory=dict)  # AdaLN: shift, scale and gate; then norms have no weights
    rotary: bool = True  # RoPE of queries and keys; without it, positions are only what is added to the tokens


@dataclass(frozen=True)
class BlockSpec:
    """Attention sub-layers in order, then an MLP for the streams in `mlp`."""

    attention: tuple[AttentionSpec, ...]
    mlp: Groups
    modulation: Groups = field(default_factory=dict)  # AdaLN of the MLP
    clean: frozenset[Stream] = frozenset()  # streams that are modulated at t = 1 (clean data), whatever t is
    text: bool = False  # video also attends to a text, which is no stream, between its attention and the MLP


def masked_block(variant: str, attention: str) -> BlockSpec:
    """A block of the masked family (paper section 2.4).

    Args:
        variant: a key of `MASKED_VARIANTS`.
        attention: "time_aligned" (latent i attends to latents <= i, of video and of actions) or "bidirectional" (as the
            paper states it; the past then attends to the future and cannot be cached).
    """
    return MASKED_VARIANTS[variant](attention == "time_aligned")


def flow_block(variant: str, attention: str, *, last: bool = False, qk_norm: str = "paper") -> BlockSpec:
    """A block of the flow family (paper section 2.4): full attention over every token of the window.

    Args:
        variant: a key of `FLOW_VARIANTS`.
        attention: "full" (the past is modulated by t and, in joint attention, attends to the future) or "clean_context"
            (the past is modulated at t = 1 and does not attend to the future, so it can be cached).
        last: the last block updates only the future video, and has no MLP for the other streams.
        qk_norm: "paper" (queries and keys are normalised in the paper's `base` and `split`) or "always" (in all four).
    """
    clean = attention == "clean_context"
    spec = FLOW_VARIANTS[variant]({stream: PAST if clean and stream.is_past else _ALL for stream in _ALL})
    sublayers = spec.attention
    if qk_norm == "always":
        sublayers = tuple(replace(sublayer, qk_norm="layer") for sublayer in sublayers)
    mlp = {Stream.FUTURE_VIDEO: spec.mlp[Stream.FUTURE_VIDEO]} if last else spec.mlp
    return replace(spec, attention=sublayers, mlp=mlp, clean=frozenset(PAST) if clean else frozenset())


def st_block(variant: str) -> BlockSpec:
    """A block of the ST-Transformer (arXiv 2510.07092, section 3.1). `variant` is a key of `ST_VARIANTS`."""
    return ST_VARIANTS[variant]


def _one_group(name: str, streams: tuple[Stream, ...]) -> Groups:
    return dict.fromkeys(streams, name)


def _group_each(streams: tuple[Stream, ...]) -> Groups:
    return {stream: stream.value for stream in streams}


def _by_modality() -> Groups:
    return {**_one_group("video", VIDEO), **_one_group("actions", ACTIONS)}


_ALL = VIDEO + ACTIONS


def _self_attention(name: str, axis: Axis, streams: tuple[Stream, ...], group: str, causal: bool) -> AttentionSpec:
    """All `streams` attend to each other (over space: each to itself) with one set of weights."""
    weights = _one_group(group, streams)
    attends_to = {stream: (stream,) if axis is Axis.SPACE else streams for stream in streams}
    return AttentionSpec(name, axis, attends_to, query=weights, key=weights, out=weights, norm=weights, causal=causal)


def _masked_joint(mlp: Groups, causal: bool) -> BlockSpec:
    """Spatial attention within each video latent, then joint temporal attention of all streams at each site."""
    spatial = _self_attention("spatial", Axis.SPACE, VIDEO, "video", causal=False)
    temporal = _self_attention("temporal", Axis.TIME, _ALL, "all", causal)
    return BlockSpec((spatial, temporal), mlp)


def _masked_split(causal: bool) -> BlockSpec:
    """Separate self-attention of video and of actions, then cross-attention from video to actions."""
    cross = AttentionSpec(
        "cross",
        Axis.TIME,
        attends_to=dict.fromkeys(VIDEO, ACTIONS),
        query=_one_group("video", VIDEO),
        key=_one_group("actions", ACTIONS),
        out=_one_group("video", VIDEO),
        norm=_one_group("video", VIDEO),
        causal=causal,
        qk_norm="rms",
    )
    attention = (
        _self_attention("spatial", Axis.SPACE, VIDEO, "video", causal=False),
        _self_attention("temporal", Axis.TIME, VIDEO, "video", causal),
        _self_attention("actions", Axis.TIME, ACTIONS, "actions", causal),
        cross,
    )
    return BlockSpec(attention, mlp=_one_group("video", VIDEO))


def _flow_joint(groups: Groups, attends_to: AttendsTo, qk_norm: Literal["none", "layer"]) -> BlockSpec:
    """Joint attention of all streams over every token; `groups` are those of modulation, queries, keys and MLP."""
    shared = _one_group("all", _ALL)
    attention = AttentionSpec(
        "joint", Axis.ALL, attends_to, groups, groups, shared, shared, qk_norm=qk_norm, modulation=groups
    )
    return BlockSpec((attention,), mlp=groups, modulation=groups)


def _flow_split(attends_to: AttendsTo) -> BlockSpec:
    """Self-attention within each stream, weights by modality; then cross-attention from future video to the rest."""
    modality, own = _by_modality(), {stream: (stream,) for stream in _ALL}
    context = tuple(stream for stream in attends_to[Stream.FUTURE_VIDEO] if stream is not Stream.FUTURE_VIDEO)
    future, shared = _one_group("future_video", (Stream.FUTURE_VIDEO,)), _one_group("all", _ALL)
    attention = (
        AttentionSpec(
            "self", Axis.ALL, own, modality, modality, modality, shared, qk_norm="layer", modulation=modality
        ),
        AttentionSpec(
            "cross",
            Axis.ALL,
            attends_to={Stream.FUTURE_VIDEO: context},
            query=future,
            key=_group_each(context),
            out=future,
            norm=shared,
            qk_norm="layer",
            modulation=future,
        ),
    )
    return BlockSpec(attention, mlp=modality, modulation=modality)


def _space_time() -> BlockSpec:
    """Spatial attention within each video latent, then causal temporal attention of video at each site."""
    attention = (
        _self_attention("spatial", Axis.SPACE, VIDEO, "video", causal=False),
        _self_attention("temporal", Axis.TIME, VIDEO, "video", causal=True),
    )
    normed = tuple(replace(sublayer, qk_norm="rms", rotary=False) for sublayer in attention)
    return BlockSpec(normed, mlp=_one_group("video", VIDEO))


MASKED_VARIANTS: Mapping[str, Callable[[bool], BlockSpec]] = {
    "base": lambda causal: _masked_joint(_group_each(_ALL), causal),
    "modality_shared": lambda causal: _masked_joint(_by_modality(), causal),
    "fully_shared": lambda causal: _masked_joint(_one_group("all", _ALL), causal),
    "split": _masked_split,
}
"""The four variants of the paper's table 1: whether attention is causal -> block."""

FLOW_VARIANTS: Mapping[str, Callable[[AttendsTo], BlockSpec]] = {
    "base": lambda attends_to: _flow_joint(_group_each(_ALL), attends_to, "layer"),
    "modality_shared": lambda attends_to: _flow_joint(_by_modality(), attends_to, "none"),
    "fully_shared": lambda attends_to: _flow_joint(_one_group("all", _ALL), attends_to, "none"),
    "split": _flow_split,
}
"""The four variants of the paper's table 2: which stream attends to which -> block."""

ST_VARIANTS: Mapping[str, BlockSpec] = {"base": _space_time()}
"""The ST-Transformer of the 1X challenge's compression winner. Actions are no stream: they are added to the tokens."""

WAN_VARIANTS: Mapping[str, BlockSpec] = {
    "base": BlockSpec(
        (_self_attention("full", Axis.ALL, VIDEO, "video", causal=False),),
        mlp=_one_group("video", VIDEO),
        text=True,
    )
}
"""Wan 2.2, which diffusers computes. Actions are no stream: they modulate the tokens."""
