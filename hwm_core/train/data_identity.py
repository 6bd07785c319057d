"""The identity of the data of a run: a resumed run must find the same data."""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from hwm_core.data.episodes.store import Store
from hwm_core.data.tokens.store import manifest_sha256
from hwm_core.errors import BadConfig


def identity_of_store(store: Store) -> dict[str, Any]:
    """The identity of a whole store, as plain YAML types: training episodes, manifests and preprocessing."""
    return {
        "episodes": episodes_sha256(store.training),
        "manifests": {kind: manifest_sha256(manifest) for kind, manifest in store.manifests.items()},
        "preprocessing": store.preprocessing.plain(),
    }


def episodes_sha256(episodes: Iterable[Any]) -> str:
    """A sha256 of the names and lengths of the episodes: both decide which windows a batch holds."""
    return hashlib.sha256("".join(f"{one.name} {len(one.segments)}\n" for one in episodes).encode()).hexdigest()


def require_same_data(started_with: Any, identity: Mapping[str, Any], where: str) -> None:
    """Raises BadConfig where two identities differ, and names the differences.

    Args:
        started_with: the identity at the start of the run, as read from its file.
        identity: the identity of the data given now.
    """
    if not isinstance(started_with, Mapping):
        raise BadConfig(
            where,
            expected="the identity of the data that the run was started with",
            got=repr(started_with),
            remedy="Restore a copy of data.yaml.",
        )
    if differences := [key for key in started_with if started_with[key] != identity.get(key)]:
        raise BadConfig(
            where,
            expected="; ".join(f"{key} {started_with[key]}" for key in differences),
            got="; ".join(f"{key} {identity.get(key)}" for key in differences),
            remedy="Use the data and the tokenizer that the run was started with.",
        )
