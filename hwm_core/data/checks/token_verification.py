"""Verifies token sets: their files, their codes, and whether two sets can be trained on together."""

from collections.abc import Iterator
from pathlib import Path

from hwm_core.data.checks.finding import Finding
from hwm_core.data.tokens.episodes import TokenEpisode
from hwm_core.data.tokens.onex import count_warnings, find_token_sets, is_token_set, open_episodes
from hwm_core.data.tokens.onex_metadata import SETTINGS_FILE
from hwm_core.data.tokens.store import SET_PREFIXES, open_token_store
from hwm_core.data.tokens.vocabulary import in_vocabulary, out_of_vocabulary
from hwm_core.errors import BadInput


def verify_token_sets(path: Path) -> Iterator[Finding]:
    """Verify every set at or below `path`, and whether sets in the same folder can be trained on together."""
    sets = find_token_sets(path)
    damaged: set[Path] = set()
    for one in sets:
        for finding in _verify_set(one):
            yield finding
            damaged |= {one.parent} if finding.level == "fault" else set()
    for folder in sorted({one.parent for one in sets if one != path} - damaged):
        yield from _verify_store(folder)


def verify_counts(path: Path) -> Iterator[Finding]:
    """Notes on counts in the metadata of a 1X set that differ from its files."""
    for warning in count_warnings(path):
        yield Finding("note", path.name, warning)


def _verify_set(path: Path) -> Iterator[Finding]:
    yield from verify_counts(path)
    try:
        for episode in open_episodes(path):
            yield from _verify_episode(episode)
    except BadInput as fault:
        yield Finding("fault", path.name, str(fault))


def _verify_store(folder: Path) -> Iterator[Finding]:
    names = [one.name for one in sorted(folder.iterdir()) if is_token_set(one) or (one / SETTINGS_FILE).exists()]
    splits = [[name for name in names if name.startswith(prefix)] for prefix in SET_PREFIXES]
    if any(len(some) != 1 for some in splits):
        if any(splits):
            wanted = " and one ".join(f"named {prefix}..." for prefix in SET_PREFIXES)
            text = f"training needs a folder with one set {wanted}; this folder has {', '.join(names)}"
            yield Finding("note", folder.name, text)
        return
    try:
        open_token_store(folder)
    except BadInput as fault:
        yield Finding("fault", folder.name, str(fault))


def _verify_episode(episode: TokenEpisode) -> Iterator[Finding]:
    if not in_vocabulary(episode.tokens, episode.vocabulary):
        yield Finding("fault", episode.name, str(out_of_vocabulary(episode.name, episode.tokens, episode.vocabulary)))
    if partial := episode.partial_clips:
        yield Finding("note", episode.name, f"{partial} partial clip at the end: never used")
    if straddling := episode.straddling_clips:
        complete = len(episode.tokens) - partial
        yield Finding("note", episode.name, f"{straddling} of {complete} clips contain a cut: never used")
