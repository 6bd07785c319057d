"""What block specs imply: which token depends on which, what may be cached, which weights are used."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hwm_core.nn.attention_spec import AttentionSpec, Axis, BlockSpec
from hwm_core.streams import Stream

Node = tuple[Stream, int]
"""One stream at one latent index."""


def nodes(num_past: int, num_latents: int) -> list[Node]:
    """Every stream at each of its latents: past streams at 0 .. num_past-1, future streams at the rest."""
    span = {True: range(num_past), False: range(num_past, num_latents)}
    return [(stream, index) for stream in Stream for index in span[stream.is_past]]


def attends(spec: AttentionSpec, query: Node, key: Node) -> bool:
    """Whether `query` attends to `key` in one sub-layer."""
    (stream, latent), (key_stream, key_latent) = query, key
    if key_stream not in spec.attends_to.get(stream, ()):
        return False
    if spec.axis is Axis.SPACE:
        return latent == key_latent
    if spec.axis is Axis.ALL:
        return True
    return key_latent <= latent or not spec.causal


def reachability(blocks: Sequence[BlockSpec], num_past: int, num_latents: int) -> NDArray[np.bool_]:
    """Through all blocks: entry [i, j] states whether the output at node i depends on the input at node j.

    Nodes are in the order of `nodes(num_past, num_latents)`.
    """
    every = nodes(num_past, num_latents)
    reached = np.eye(len(every), dtype=bool)
    for block in blocks:
        for spec in block.attention:
            direct = np.array([[attends(spec, query, key) for key in every] for query in every])
            reached |= direct @ reached
    return reached


def cache_obstacle(
    blocks: Sequence[BlockSpec], num_past: int, num_latents: int, *, by_latent: bool = True
) -> str | None:
    """Why cached keys and values would not stay exact when later tokens are added; None if they stay exact.

    Args:
        by_latent: latents are appended to the cache one by one, so no latent may depend on a later one. Otherwise the
            cache holds the past alone and the future is computed as one chunk, so no past stream may depend on a future
            stream.
    """
    every, reached = nodes(num_past, num_latents), reachability(blocks, num_past, num_latents)
    order = [latent if by_latent else int(not stream.is_past) for stream, latent in every]
    for i, (stream, latent) in enumerate(every):
        for j, (key_stream, key_latent) in enumerate(every):
            if reached[i, j] and order[j] > order[i]:
                return f"{stream.value} of latent {latent} depends on {key_stream.value} of latent {key_latent}"
    for block in blocks:
        for spec in block.attention:
            for stream in spec.modulation:
                if stream.is_past and stream not in block.clean:
                    return f"{stream.value} is modulated by the time t"
    return None


def live_streams(blocks: Sequence[BlockSpec], wanted: Stream) -> list[tuple[frozenset[Stream], ...]]:
    """For each block, the streams that each sub-layer must update (attention in order, then MLP) to compute `wanted`.

    Walks the blocks backwards: a sub-layer must update a stream only if a later sub-layer uses the stream.
    """
    live = frozenset({wanted})
    result = []
    for block in reversed(blocks):
        needed = [live & block.mlp.keys()]
        for spec in reversed(block.attention):
            needed.append(live & spec.attends_to.keys())
            live |= {key for stream in needed[-1] for key in spec.attends_to[stream]}
        result.append(tuple(reversed(needed)))
    return result[::-1]
