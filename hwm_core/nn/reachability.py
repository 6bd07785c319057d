"""What the rows imply: who hears whom through a stack of blocks, what may be cached, what is ever used."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hwm_core.nn.attention_spec import AttentionSpec, Axis, BlockSpec
from hwm_core.streams import Stream

Node = tuple[Stream, int]
"""One stream at one latent index."""


def nodes(num_past: int, num_latents: int) -> list[Node]:
    """Every stream at every latent it holds: past streams 0 .. num_past-1, future streams the rest."""
    span = {True: range(num_past), False: range(num_past, num_latents)}
    return [(stream, index) for stream in Stream for index in span[stream.is_past]]


def heard_directly(row: AttentionSpec, listener: Node, speaker: Node) -> bool:
    """Whether one application of `row` lets `listener` hear `speaker`."""
    (stream, now), (other, then) = listener, speaker
    if other not in row.attends_to.get(stream, ()):
        return False
    if row.axis is Axis.SPACE:
        return now == then
    if row.axis is Axis.ALL:
        return True
    return then <= now or not row.causal


def reachability(blocks: Sequence[BlockSpec], num_past: int, num_latents: int) -> NDArray[np.bool_]:
    """Reachability through all blocks: entry [i, j] says whether node i's output depends on node j's input.

    Nodes are in the order of `nodes(num_past, num_latents)`.
    """
    every = nodes(num_past, num_latents)
    reach = np.eye(len(every), dtype=bool)
    for block in blocks:
        for row in block.attention:
            direct = np.array([[heard_directly(row, a, b) for b in every] for a in every])
            reach |= direct @ reach
    return reach


def cache_obstacle(
    blocks: Sequence[BlockSpec], num_past: int, num_latents: int, *, by_latent: bool = True
) -> str | None:
    """Why keys and values of settled tokens would not stay exact when later ones are added; None where they stay.

    Args:
        by_latent: latents settle one after the other, so none may hear a later one. Otherwise the past settles as a
            whole, before a future that is computed as one chunk: no past stream may hear a future one.
    """
    every, reached = nodes(num_past, num_latents), reachability(blocks, num_past, num_latents)
    order = [latent if by_latent else int(not stream.is_past) for stream, latent in every]
    for i, (stream, latent) in enumerate(every):
        for j, (other, then) in enumerate(every):
            if reached[i, j] and order[j] > order[i]:
                return f"{stream.value} of latent {latent} hears {other.value} of latent {then}"
    for block in blocks:
        for row in block.attention:
            for stream in row.modulation:
                if stream.is_past and stream not in block.clean:
                    return f"{stream.value} is modulated by a time that varies"
    return None


def live_streams(blocks: Sequence[BlockSpec], wanted: Stream) -> list[tuple[frozenset[Stream], ...]]:
    """Per block, the streams each sub-layer must update (attention rows in order, then the MLP) for `wanted`'s output.

    Walks the stack backwards: a sub-layer matters for a stream only if that stream is read later.
    """
    live = frozenset({wanted})
    result = []
    for block in reversed(blocks):
        needed = [live & block.mlp.keys()]
        for row in reversed(block.attention):
            needed.append(live & row.attends_to.keys())
            live |= {key for stream in needed[-1] for key in row.attends_to[stream]}
        result.append(tuple(reversed(needed)))
    return result[::-1]
