"""The table of the paper's eight models, read from the code: who hears whom, what is shared, what it saves."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, get_args

import torch

from hwm_core.models.network import WorldModelNetwork
from hwm_core.nn.attention_spec import AttentionSpec, Axis, BlockSpec, Groups
from hwm_core.streams import ACTIONS, VIDEO, Stream
from hwm_core.world_model.registry import FAMILIES, build_model

_ALONG = {Axis.SPACE: "a latent's sites", Axis.TIME: "time, site by site", Axis.ALL: "all tokens"}


@dataclass(frozen=True)
class VariantSummary:
    """One variant of one family at the paper's size."""

    family: str
    variant: str
    attends_to: tuple[str, ...]  # a sentence for each attention sub-layer
    shares: str  # how many sets of weights
    parameters: int
    saving: float  # part of the base variant's parameters that is saved
    cached: tuple[str, ...]  # readings whose past can be cached exactly


def summaries() -> list[VariantSummary]:
    """Every family and variant, built on the meta device: nothing is allocated."""
    rows = []
    for name, family in FAMILIES.items():
        fields: Any = family.config.model_fields
        base = _parameters(build(name, "base"))
        for variant in get_args(fields["variant"].annotation):
            model = build(name, variant)
            block = model.backbone.rows[-2]  # the last one may be special
            cached = tuple(
                reading
                for reading in get_args(fields[family.reading].annotation)
                if build(name, variant, reading).cache_obstacle is None
            )
            count = _parameters(model)
            attends_to = tuple(_sentence(row) for row in block.attention)
            rows.append(VariantSummary(name, variant, attends_to, _shares(block), count, 1 - count / base, cached))
    return rows


def build(family: str, variant: str, reading: str | None = None) -> WorldModelNetwork:
    """A model at the paper's size on the meta device; `reading` of who hears whom is the family's default."""
    config = {"variant": variant} if reading is None else {"variant": variant, FAMILIES[family].reading: reading}
    with torch.device("meta"):
        return build_model(family, config)


def parameters(rows: Sequence[VariantSummary]) -> dict[str, dict[str, int]]:
    """{family: {variant: parameters}}."""
    return {family: {row.variant: row.parameters for row in rows if row.family == family} for family in FAMILIES}


def markdown(rows: Sequence[VariantSummary]) -> str:
    """The table."""
    lines = [
        "| family | variant | who hears whom, in block order | sets of weights | parameters | saved | cached past |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        cells = (
            row.family,
            f"`{row.variant}`",
            "; ".join(row.attends_to),
            row.shares,
            f"{row.parameters:,}",
            f"{row.saving:.0%}",
            ", ".join(f"`{reading}`" for reading in row.cached) or "never",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _parameters(model: WorldModelNetwork) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def _sentence(row: AttentionSpec) -> str:
    """One attention sub-layer in words."""
    listeners = _words(tuple(row.attends_to))
    if all(row.attends_to[stream] == (stream,) for stream in row.attends_to):
        who = f"{listeners}, each itself"
    elif len(set(row.attends_to.values())) == 1:
        who = f"{listeners} hear {_words(next(iter(row.attends_to.values())))}"
    else:
        groups: dict[tuple[Stream, ...], list[Stream]] = {}
        for stream, speakers in row.attends_to.items():
            groups.setdefault(speakers, []).append(stream)
        who = ", ".join(f"{_words(tuple(some))} hear {_words(speakers)}" for speakers, some in groups.items())
    return f"{row.name} over {_ALONG[row.axis]}: {who}{', up to their own latent' if row.causal else ''}"


def _words(streams: tuple[Stream, ...]) -> str:
    if set(streams) == set(Stream):
        return "all"
    parts, rest = [], list(streams)
    for pair, word in ((VIDEO, "video"), (ACTIONS, "actions")):
        if set(pair) <= set(rest):
            parts.append(word)
            rest = [stream for stream in rest if stream not in pair]
    return " and ".join([*(stream.value.replace("_", " ") for stream in rest), *parts])


def _shares(block: BlockSpec) -> str:
    """Sets of weights of each attention sub-layer (queries, then keys and values where they differ) and of the MLPs."""
    parts = []
    for row in block.attention:
        queries, keys = _count(row.query), _count(row.key)
        parts.append(f"{row.name} {queries}" if queries == keys else f"{row.name} {queries} q, {keys} k v")
    return ", ".join([*parts, f"MLP {_count(block.mlp)}"])


def _count(groups: Groups) -> int:
    return len(set(groups.values()))
