"""Measure the joints of all recordings and token sets together, as action manifests."""

from collections.abc import Mapping
from pathlib import Path

import yaml
from tqdm import tqdm

from hwm_core.data.checks.manifests import measure_manifests
from hwm_core.data.robot.description import Robot
from hwm_core.data.robot.embodiment import Embodiment
from hwm_core.data.robot.fit_manifests import undeclared_units
from hwm_core.data.robot.manifest import ActionKind, ActionManifest
from hwm_core.data.tokens.onex import open_episodes
from hwm_core.io.atomic import new_file

from .sources import Sources, print_skipped


def compute_statistics(sources: Sources, robot: Robot, embodiment: Embodiment | None, out: Path | None) -> int:
    """Print the manifests, and write them to `out`; returns 1 where a data set leaves out episodes.

    Raises:
        BadInput: a data set cannot be opened.
    """
    sets, found = sources.token_sets_and_recordings()
    if found.damaged:  # statistics of only a part of the sources would be wrong
        raise found.damaged[0][1]
    alone = len(sets) == 1 and not found.recordings
    tokens = [episode for path in sets for episode in sources.choose(open_episodes(path), alone)]
    episodes = tqdm([*tokens, *found.recordings], unit="recording", disable=None)
    manifests = measure_manifests(episodes, robot, embodiment)
    _print_manifests(manifests)
    for warning in undeclared_units(manifests, robot):
        print(warning)
    if out:
        with new_file(out) as partial:
            partial.write_text(yaml.safe_dump({kind: one.plain() for kind, one in manifests.items()}, sort_keys=False))
    return 1 if print_skipped(found) else 0


def _print_manifests(manifests: Mapping[ActionKind, ActionManifest]) -> None:
    for kind, manifest in manifests.items():
        print(f"{kind} of {manifest.robot}")
        columns = (manifest.names, manifest.units, manifest.lower, manifest.upper, manifest.mean, manifest.std)
        for (name, unit, lower, upper, mean, std), constant in zip(zip(*columns), manifest.constant, strict=True):
            spread = "constant" if constant else f"std {std:.4f}"
            print(f"  {name:28} {unit:6} {lower:+9.3f} to {upper:+9.3f}  mean {mean:+9.3f}  {spread}")
