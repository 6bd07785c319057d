"""Encode a store's images as tokens, both splits; with --prepare make the store from recordings first."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from tqdm import tqdm

from hwm_core.data.episodes.store import Split, manifest_path, open_store
from hwm_core.data.tokens.store import manifest_sha256
from hwm_core.data.tokens.tokenise import TokeniseOptions, require_tokenisable, tokenise
from hwm_core.data.tokens.tokenizer_spec import spec_of
from hwm_core.errors import BadConfig
from hwm_core.io.atomic import new_file
from hwm_core.tokenizers import VideoTokenizer
from hwm_core.types import Episode
from hwm_core.world_model.checkpoint import load_tokenizer

from .commands.prepare_data import add_prepare_options
from .devices import own_device
from .prepare_data import PrepareOptions, prepare


def tokenise_sources(arguments: argparse.Namespace) -> int:
    """Tokenise a store, or make one from recordings first. Raises BadInput for errors that the user can correct."""
    device = own_device(arguments.device)
    keys = {key: getattr(arguments, key) for key in TokeniseOptions.model_fields if key != "device"}
    options = TokeniseOptions.parse({**keys, "device": device}, where="tokenise")
    tokenizer = load_tokenizer(arguments.tokenizer, device)
    if tokenizer.needs_statistics:
        raise BadConfig(
            f"--tokenizer {arguments.tokenizer}",
            expected="a tokenizer with statistics of its latents",
            got="a download without statistics",
            remedy="First train a world model with it on the store; then use the checkpoint's folder as --tokenizer.",
        )
    if arguments.prepare is None:
        store = _only_store(arguments.sources)
    else:
        store = _prepared_store(arguments.sources, arguments.out / "store", arguments.prepare, options)
    return tokenise_store(store, tokenizer, arguments.out, options)


def tokenise_store(path: Path, tokenizer: VideoTokenizer, out: Path, options: TokeniseOptions) -> int:
    """Write the store's manifests, and the tokens of this rank's share of the episodes, to `out`."""
    store = open_store(path)
    both: dict[Split, list[Episode]] = {"training": store.training, "validation": store.validation}
    splits = {split: episodes for split, episodes in both.items() if episodes}
    shared: dict[str, Any] = {
        "spec": spec_of(tokenizer),
        "options": options,
        "manifests": {kind: manifest_sha256(manifest) for kind, manifest in store.manifests.items()},
    }
    for split, episodes in splits.items():  # check both splits before the first byte is written
        require_tokenisable(episodes, store.preprocessing, out / split, **shared)
    for kind, manifest in store.manifests.items():
        with new_file(manifest_path(out, kind), options.rank) as partial:
            partial.write_text(yaml.safe_dump(manifest.plain(), sort_keys=False))
    for split, episodes in splits.items():
        share = len(range(options.rank, len(episodes), options.world_size))
        outcomes = tokenise(episodes, store.preprocessing, tokenizer, out / split, **shared)
        done = list(tqdm(outcomes, total=share, unit="episode", disable=None))
        clips, left_over = sum(one.clips for one in done), sum(one.left_out for one in done)
        process = "" if options.world_size == 1 else f", share {options.rank + 1} of {options.world_size}"
        print(f"{out / split}: {clips} clips of {share} episodes; {left_over} frames fill no clip{process}")
    return 0


def _only_store(sources: Sequence[Path]) -> Path:
    if len(sources) > 1:
        raise BadConfig(
            "tokenise",
            expected="one store, or recordings with --prepare",
            got=", ".join(map(str, sources)),
            remedy="Tokenise one store at a time; for recordings, add --prepare and options of `hwm prepare`.",
        )
    return sources[0]


def _prepared_store(
    recordings: Sequence[Path], store: Path, arguments: Sequence[str], options: TokeniseOptions
) -> Path:
    """The store of the recordings, in a folder next to their tokens; existing episodes are kept."""
    if options.world_size > 1:
        raise BadConfig(
            "--prepare",
            expected="one process",
            got=f"{options.world_size} processes",
            remedy="Prepare with one process first (hwm prepare), then tokenise the store with several.",
        )
    parser = argparse.ArgumentParser("--prepare")
    add_prepare_options(parser)
    prepare(recordings, store, PrepareOptions.of(parser.parse_args(arguments)))
    return store
