"""A training run: its folder, its recipe and its processes.

The folder holds recipe.yaml, data.yaml, sources.yaml (the folders that the run was started with), revision.txt,
environment.json, the state to resume from (state.pt, or state-<step>/ with sharded weights), TensorBoard events,
previews/ (images of each evaluation), and the result.
"""

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import yaml

from hwm_core.assets import checkpoint_path
from hwm_core.config import read_yaml
from hwm_core.errors import BadConfig
from hwm_core.io.atomic import write_text
from hwm_core.train.data_identity import require_same_data
from hwm_core.train.ranks import Ranks, join_ranks
from hwm_core.train.recipe import Recipe, read_recipe, write_recipe
from hwm_core.train.state import newest_state

from .environment import add_start, revision

SOURCES = "sources.yaml"


@dataclass(frozen=True)
class Run:
    """The arguments that all training commands share, parsed."""

    folder: Path
    recipe: Recipe
    ranks: Ranks
    resume: bool = False
    replay: Path | None = None  # a saved broken step, to recompute instead of training
    sources: Mapping[str, str] = field(default_factory=dict)  # data, tokenizer and checkpoints, as absolute paths

    @property
    def device(self) -> torch.device:
        return self.ranks.device

    def require_same_data(self, identity: Mapping[str, Any]) -> None:
        """Raises BadConfig where a resumed run was started with other data."""
        if self.resume and (path := self.folder / "data.yaml").exists():
            require_same_data(read_yaml(path), identity, f"Data of the run in {self.folder}")

    def describe(self, identity: Mapping[str, Any]) -> None:
        """Write recipe, data, code revision and machine into the folder."""
        code = revision()
        if not self.resume:
            write_text(self.folder / "revision.txt", code + "\n")
        write_recipe(self.folder / "recipe.yaml", self.recipe)
        write_text(self.folder / SOURCES, yaml.safe_dump(dict(self.sources), sort_keys=False))
        write_text(self.folder / "data.yaml", yaml.safe_dump(dict(identity), sort_keys=False))
        add_start(self.folder, code, self.resume)


def run_training(
    options: argparse.Namespace,
    work: Callable[[Run], bool],
) -> int:
    """Join the ranks and train.

    Args:
        options: the arguments that all training commands share.
        work: trains; returns whether the budget is spent. Raises BadInput for errors that the user can correct.

    Returns:
        Exit status 0: the budget is spent; 1: stopped before, can be resumed.
    """
    _complete_sources(options)
    with join_ranks(options.device) as ranks:
        return 0 if work(_open_run(options, ranks)) else 1


def _complete_sources(options: argparse.Namespace) -> None:
    """Use the folders with which a resumed run was started, unless the command sets them.

    Raises BadConfig if a required folder is missing.
    """
    path = options.out / SOURCES
    if (options.resume or options.replay) and path.exists():
        for name, folder in read_yaml(path).items():
            if getattr(options, name, None) is None:
                setattr(options, name, Path(folder))
    for name in ("data", "checkpoint"):  # tune-decoder needs both
        if getattr(options, name, options) is None:
            raise BadConfig(
                f"--{name}",
                expected="a folder",
                got="none",
                remedy=f"Add --{name}. A resumed run reads it from {path}.",
            )


def _open_run(options: argparse.Namespace, ranks: Ranks) -> Run:
    """Read the recipe. Nothing is written before training starts. Raises BadConfig where a run would be overwritten."""
    folder: Path = options.out
    for path in (folder, *folder.parents):
        if path.exists() and not path.is_dir():
            raise BadConfig(
                f"--out {folder}", expected="a folder", got=f"{path}, a file", remedy="Choose another path."
            )
    if options.resume or options.replay:
        recipe = read_recipe(str(folder / "recipe.yaml"), options.overrides)
    elif newest_state(folder):
        raise BadConfig(
            f"--out {folder}", expected="a new folder", got="a run", remedy="Add --resume, or choose another folder."
        )
    else:
        recipe = read_recipe(options.preset, options.overrides)
    given = {name: getattr(options, name, None) for name in ("data", "tokenizer", "init", "checkpoint", "base")}
    # A shipped checkpoint by name is stored as its folder.
    sources = {name: str(checkpoint_path(path).absolute()) for name, path in given.items() if path is not None}
    return Run(folder, recipe, ranks, options.resume, options.replay, sources)
