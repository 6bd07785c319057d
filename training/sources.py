"""Arguments that name recordings and token sets, and how recordings are read."""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from hwm_core.data.discover import FoundRecordings, merge_found, search_recordings
from hwm_core.data.lerobot.joint_columns import ColumnChoice
from hwm_core.data.recording.recording import Recording, number_in
from hwm_core.data.robot.embodiment import Embodiment, read_embodiment, union
from hwm_core.data.rosbag2.stamps import Stamps
from hwm_core.data.rosbag2.topics import Topics
from hwm_core.data.tokens.episodes import TokenEpisode
from hwm_core.data.tokens.onex import find_token_sets
from hwm_core.errors import BadBag
from hwm_core.io.named_path import named_path

_CHANNELS = ("image", "joint", "command")  # as the arguments name them, in the order of `Stamps`
Episode = TypeVar("Episode", Recording, TokenEpisode)


@dataclass(frozen=True)
class ReadOptions:
    """How recordings are read."""

    topics: Topics
    camera: str | None
    stamps: Stamps
    columns: ColumnChoice

    @classmethod
    def of(cls, options: argparse.Namespace) -> "ReadOptions":
        topics = Topics(image=options.image_topic, joint_states=options.joint_topic, commands=options.command_topic)
        stamps = {
            channel: {
                "source": getattr(options, f"{name}_stamps") or options.stamps,
                "offset_s": getattr(options, f"{name}_offset"),
            }
            for name, channel in zip(_CHANNELS, Stamps.model_fields, strict=True)
        }
        columns = ColumnChoice(tuple(options.states), tuple(options.actions))
        return cls(topics, options.camera, Stamps.parse(stamps, where="stamps"), columns)

    def words(self) -> list[str]:
        """The arguments that give these options, without those that are the defaults."""
        default = Topics()
        given: dict[str, tuple[object, object]] = {
            "--camera": (self.camera, None),
            "--image-topic": (self.topics.image, default.image),
            "--joint-topic": (self.topics.joint_states, default.joint_states),
            "--command-topic": (self.topics.commands, default.commands),
        }
        channels = (self.stamps.images, self.stamps.states, self.stamps.commands)
        shared = {one.source for one in channels}
        given["--stamps"] = ("receive" if shared == {"receive"} else "header", "header")
        for name, one in zip(_CHANNELS, channels, strict=True):
            given[f"--{name}-stamps"] = (one.source if len(shared) > 1 else "header", "header")
            given[f"--{name}-offset"] = (one.offset_s, 0.0)
        words = [word for name, (value, usual) in given.items() if value != usual for word in (name, str(value))]
        for name, columns in (("--states", self.columns.states), ("--actions", self.columns.actions)):
            words += [name, *columns] if columns else []
        return words

    def search(self, paths: Sequence[Path]) -> FoundRecordings:
        """All recordings below the paths."""
        return merge_found(self._search(path, required=True) for path in paths)

    def search_beside_tokens(self, path: Path) -> FoundRecordings:
        """As `search` of one path, which may contain no recording."""
        return self._search(path, required=False)

    def _search(self, path: Path, required: bool) -> FoundRecordings:
        return search_recordings(path, self.topics, self.camera, self.stamps, self.columns, required)


@dataclass(frozen=True)
class Sources:
    """Paths of recordings and token sets, and which episodes of them are used."""

    paths: tuple[Path, ...]
    reading: ReadOptions
    episodes: tuple[int, ...] | None  # numbers; None: all

    @classmethod
    def of(cls, options: argparse.Namespace) -> "Sources":
        episodes = tuple(options.episodes) if options.episodes else None
        return cls(tuple(options.sources), ReadOptions.of(options), episodes)

    def recordings(self) -> FoundRecordings:
        """The chosen recordings."""
        found = self.reading.search(self.paths)
        return replace(found, recordings=self.choose(found.usable()))

    def token_sets_and_recordings(self) -> tuple[list[Path], FoundRecordings]:
        """The folders of token sets, and the chosen recordings."""
        sets: list[Path] = []
        parts: list[FoundRecordings] = []
        for path in self.paths:
            below = find_token_sets(named_path(path))
            sets += below
            parts.append(self.reading.search_beside_tokens(path) if below else self.reading.search([path]))
        found = merge_found(parts)
        recordings = found.recordings if sets else found.usable()
        return sets, replace(found, recordings=self.choose(recordings, alone=not sets) if recordings else [])

    def choose(self, episodes: list[Episode], alone: bool = True) -> list[Episode]:
        """The episodes whose numbers were given with --episodes.

        Args:
            episodes: of one set, or all recordings.
            alone: whether they are all that the sources have. Then every number must be among them, otherwise one.

        Raises:
            BadBag: a number has no episode.
        """
        if self.episodes is None:
            return episodes
        there = {number_in(one.name) for one in episodes}
        absent = [number for number in self.episodes if number not in there]
        if absent and (alone or len(absent) == len(self.episodes)):
            known = sorted(number for number in there if number is not None)
            raise BadBag(
                "--episodes",
                expected=f"numbers of recordings in the sources: {number_ranges(known) or 'no name ends in a number'}",
                got=" ".join(map(str, absent)),
                remedy="Choose numbers of this list.",
            )
        return [one for one in episodes if number_in(one.name) in self.episodes]


def number_ranges(numbers: Sequence[int]) -> str:
    """Ascending numbers in words: 0 to 3, 7."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(f"{run[0]} to {run[-1]}" if len(run) > 1 else f"{run[0]}" for run in runs)


def read_embodiments(names: Sequence[str] | None) -> Embodiment | None:
    """The union of the embodiments with these names; None without names."""
    return union([read_embodiment(name) for name in names]) if names else None


def print_skipped(found: FoundRecordings) -> int:
    """Print the data sets and episodes that are left out to stderr; returns their number."""
    for one in found.left_out():
        print(f"skipped {one}", file=sys.stderr)
    return len(found.left_out())
