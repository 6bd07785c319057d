"""The table of the paper's eight models, computed from their block specs: attention, shared weights, parameters."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, get_args

import torch

from hwm_core.models.network import WorldModelNetwork
from hwm_core.nn.attention_spec import AttentionSpec, Axis, BlockSpec, Groups
from hwm_core.pretrained import has_extra
from hwm_core.streams import ACTIONS, VIDEO, Stream
from hwm_core.world_model.registry import FAMILIES, build_model

_ALONG = {Axis.SPACE: "spatial", Axis.TIME: "temporal", Axis.ALL: "full"}
_WITHIN = {Axis.SPACE: "each video latent", Axis.TIME: "each stream", Axis.ALL: "each stream"}
_TEXT = "full cross-attention from video to the text"


@dataclass(frozen=True)
class VariantSummary:
    """One variant of one family at the paper's size."""

    family: str
    variant: str
    attention: tuple[str, ...]  # a phrase for each attention sub-layer
    weight_sets: str  # how many sets of weights each sub-layer has
    parameters: int
    saving: float  # share of the base variant's parameters that is saved
    cacheable: tuple[str, ...]  # values of `attention` with which the past can be cached exactly


def summaries() -> list[VariantSummary]:
    """Every family and variant, built on the meta device: nothing is allocated.

    Families whose packages are not installed are left out.
    """
    found = []
    for name, family in FAMILIES.items():
        if family.pretrained and not has_extra():
            continue
        fields: Any = family.config.model_fields
        usual: str = fields["attention"].default
        built = cache(partial(build, name))  # a model of billions of parameters takes seconds
        base = _parameters(built("base", usual))
        for variant in get_args(fields["variant"].annotation):
            model = built(variant, usual)
            block = model.specs[-2]  # the last block of the flow family updates the future video alone
            patterns = get_args(fields["attention"].annotation)
            count = _parameters(model)
            found.append(
                VariantSummary(
                    family=name,
                    variant=variant,
                    attention=(*(_phrase(spec) for spec in block.attention), *(_TEXT,) * block.text),
                    weight_sets=_weight_sets(block),
                    parameters=count,
                    saving=1 - count / base,
                    cacheable=tuple(one for one in patterns if built(variant, one).cache_obstacle is None),
                )
            )
    return found


def build(family: str, variant: str, attention: str | None = None) -> WorldModelNetwork:
    """A model at the paper's size on the meta device, by default with the family's default attention."""
    config = {"variant": variant} if attention is None else {"variant": variant, "attention": attention}
    with torch.device("meta"):
        return build_model(family, config)


def parameters(found: Sequence[VariantSummary]) -> dict[str, dict[str, int]]:
    """{family: {variant: parameters}}."""
    return {family: {one.variant: one.parameters for one in found if one.family == family} for family in FAMILIES}


def markdown(found: Sequence[VariantSummary]) -> str:
    """The table of the variants."""
    lines = [
        "| family | variant | attention of a block | weight sets | parameters | saved | past can be cached with |",
        "|---|---|---|---|---:|---:|---|",
    ]
    for one in found:
        entries = (
            one.family,
            f"`{one.variant}`",
            "; ".join(one.attention),
            one.weight_sets,
            f"{one.parameters:,}",
            f"{one.saving:.0%}",
            ", ".join(f"`{attention}`" for attention in one.cacheable) or "none",
        )
        lines.append(f"| {' | '.join(entries)} |")
    return "\n".join(lines) + "\n"


def _parameters(model: WorldModelNetwork) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def _phrase(spec: AttentionSpec) -> str:
    """A phrase for an attention sub-layer, such as "causal temporal attention across all streams at each position"."""
    kind = f"{'causal ' if spec.causal else ''}{_ALONG[spec.axis]}"
    where = " at each position" if spec.axis is Axis.TIME else ""
    queries = tuple(spec.attends_to)
    if all(keys == (stream,) for stream, keys in spec.attends_to.items()):
        return f"{kind} self-attention within {_WITHIN[spec.axis]}{where}"
    if set(spec.attends_to.values()) == {queries}:
        who = "attention across all streams" if set(queries) == set(Stream) else f"self-attention of {_words(queries)}"
        return f"{kind} {who}{where}"
    groups: dict[tuple[Stream, ...], list[Stream]] = {}
    for stream, keys in spec.attends_to.items():
        groups.setdefault(keys, []).append(stream)
    pairs = " and ".join(f"from {_words(tuple(some))} to {_words(keys)}" for keys, some in groups.items())
    return f"{kind} cross-attention {pairs}{where}"


def _words(streams: tuple[Stream, ...]) -> str:
    if set(streams) == set(Stream):
        return "all streams"
    parts, rest = [], list(streams)
    for pair, word in ((VIDEO, "video"), (ACTIONS, "actions")):
        if set(pair) <= set(rest):
            parts.append(word)
            rest = [stream for stream in rest if stream not in pair]
    return " and ".join([*(stream.value.replace("_", " ") for stream in rest), *parts])


def _weight_sets(block: BlockSpec) -> str:
    """The sets of each attention sub-layer (queries, then keys and values if they differ), then of the MLPs."""
    parts = []
    for spec in block.attention:
        queries, keys = _count(spec.query), _count(spec.key)
        parts.append(f"{spec.name} {queries}" if queries == keys else f"{spec.name} {queries} q, {keys} k v")
    return ", ".join([*parts, *("text 1",) * block.text, f"MLP {_count(block.mlp)}"])


def _count(groups: Groups) -> int:
    return len(set(groups.values()))
