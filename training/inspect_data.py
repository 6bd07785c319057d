"""Measure recordings and token sets: rates, joints, delays, suspicious values; with --sheets draw contact sheets."""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from tqdm import tqdm

from hwm_core.data.checks.inspection import Inspection, inspect
from hwm_core.data.checks.joint_inspection import inspect_joints
from hwm_core.data.checks.joint_summary import JointSummary
from hwm_core.data.checks.proposal import propose
from hwm_core.data.checks.rate import Rate
from hwm_core.data.checks.token_inspection import TokenInspection, inspect_tokens
from hwm_core.data.discover import dataset_paths
from hwm_core.data.recording.recording import Recording, require_unique_names
from hwm_core.data.robot.description import Joint, Robot
from hwm_core.data.robot.embodiment import Embodiment
from hwm_core.data.tokens.onex import count_warnings, open_episodes
from hwm_core.errors import BadInput, NoImages
from hwm_core.io.atomic import new_file
from hwm_core.visualization.canvas import write_png
from hwm_core.visualization.thumbnails import thumbnail_sheet

from .next_command import print_next
from .sources import Sources, print_skipped

JointOf = Callable[[str], Joint]  # unit and limits of a joint, by the name that the robot publishes


def inspect_sources(
    sources: Sources, robot: Robot | None, embodiment: Embodiment | None, *, sheets: Path | None, dimensions: bool
) -> int:
    """Print the measurements of each token set and recording; returns 1 where some cannot be read.

    Args:
        sources: what is inspected.
        robot: units and limits of the joints, unless an embodiment has them.
        embodiment: of the recordings, if known.
        sheets: folder for a contact sheet of each recording; None: no sheets.
        dimensions: list every joint.

    Raises:
        BadConfig: `robot` describes a joint that no recording has.
    """
    joint = _joint_of(robot, embodiment)
    sets, found = sources.token_sets_and_recordings()
    if sheets:
        require_unique_names(found.recordings)
    faults = print_skipped(found)
    for path in (*sets, *dataset_paths(found.recordings)):
        for warning in count_warnings(path):
            print(f"{path}: {warning}")
    for path in sets:
        try:
            alone = len(sets) == 1 and not found.recordings
            episodes = tqdm(sources.choose(open_episodes(path), alone), unit="episode", disable=None)
            print(*_lines_of_tokens(inspect_tokens(str(path), episodes, joint), dimensions), sep="\n")
        except BadInput as fault:
            faults += 1
            print(f"{path}: {fault}", file=sys.stderr)
            continue
        if sheets:
            print("  no sheet: token sets contain no images")
    inspected: list[tuple[Inspection, int | None]] = []
    for recording in found.recordings:
        try:
            inspection = inspect(recording, joint)
        except NoImages as absent:
            faults += not _print_joints(recording, joint, absent, dimensions)
            continue
        except BadInput as fault:
            faults += 1
            print(f"{recording.name}: {fault}", file=sys.stderr)
            continue
        inspected.append((inspection, recording.number))
        print(*_lines_of_recording(inspection, dimensions), sep="\n")
        if sheets:
            _write_sheet(inspection, sheets / f"{inspection.name}.png")
    if inspected:
        _print_proposal(inspected, sources)
    if robot and inspected:
        joints = (one.name for found, _ in inspected for channel in found.joints.values() for one in channel)
        robot.require_used([*dict.fromkeys(joints)])
    return 1 if faults else 0


def _print_joints(recording: Recording, joint: JointOf | None, absent: NoImages, dimensions: bool) -> bool:
    """Print the joint values of a recording without images; returns whether it has some."""
    try:
        found = inspect_joints(recording, joint)
    except BadInput:
        print(f"{recording.name}: {absent}", file=sys.stderr)
        return False
    print(f"{recording.name}  no images")
    print(*_lines_of_rates(found.rates), *(f"  ! {remark}" for remark in (str(absent), *found.remarks())), sep="\n")
    if dimensions:
        print(*_lines_of_joints(found.joints, {}), sep="\n")
    return True


def _print_proposal(inspected: Sequence[tuple[Inspection, int | None]], sources: Sources) -> None:
    """Print how the recordings may be prepared, and why; the last line is the command."""
    proposal = propose([found for found, _ in inspected], [number for _, number in inspected])
    print("Proposed preparation:")
    for why in proposal.reasons:
        print(f"  {why}")
    print_next("prepare", *sources.paths, *sources.reading.words(), *proposal.options, "--out", "store")


def _write_sheet(found: Inspection, path: Path) -> None:
    sheet = thumbnail_sheet(found.name, found.remarks(), found.thumbnails, found.thumbnail_s)
    with new_file(path) as partial:
        write_png(partial, sheet)


def _lines_of_recording(found: Inspection, dimensions: bool) -> Iterator[str]:
    """Name and rates, remarks, and on request every joint."""
    yield f"{found.name}  {found.size[1]}x{found.size[0]}"
    yield from _lines_of_rates(found.rates)
    yield from (f"  ! {remark}" for remark in found.remarks())
    if dimensions:
        lags = {found.lag_names[one.column]: one.frames for one in found.lag.joints} if found.lag else {}
        yield from _lines_of_joints(found.joints, lags)


def _lines_of_rates(rates: Mapping[str, Rate]) -> Iterator[str]:
    for channel, rate in rates.items():
        steady = f"jitter {rate.jitter_ms:.2f} ms, {len(rate.gaps)} gaps"
        yield f"  {channel:9} {rate.messages:6} at {rate.hz:.2f} Hz, {steady}"


def _lines_of_tokens(found: TokenInspection, dimensions: bool) -> Iterator[str]:
    """Name, clips and codes, remarks, and on request every joint."""
    latents, height, width, *channels = found.grid
    yield f"{found.name}  {found.episodes} episodes, {found.takes} takes"
    yield f"  values    {found.frames:6} at {found.frame_rate_hz:g} Hz"
    yield f"  clips     {found.clips:6} of {found.clip_frames} frames: {latents} latents of {height}x{width}"
    if found.vocabulary:
        share = found.codes_used / found.vocabulary
        yield f"  codes     {found.codes_used:6} of {found.vocabulary} used, {share:.1%}"
    elif found.latents:
        yield f"  latents   {found.latents[0]:+.3f} to {found.latents[1]:+.3f}, {channels[0]} channels"
    yield from (f"  ! {remark}" for remark in found.remarks())
    if dimensions:
        yield from _lines_of_joints(found.joints, {})


def _lines_of_joints(dimensions: Mapping[str, Sequence[JointSummary]], lags: Mapping[str, float]) -> Iterator[str]:
    for channel, joints in dimensions.items():
        for joint in joints:
            lag = f"  lag {lags[joint.name]:+.1f}" if channel == "states" and joint.name in lags else ""
            spread = f"{joint.lower:+9.3f} to {joint.upper:+9.3f}  std {joint.std:.4f}"
            yield f"  {channel:9} {joint.name:28} {spread}{lag}"


def _joint_of(robot: Robot | None, embodiment: Embodiment | None) -> JointOf | None:
    if embodiment:
        description, aliases = embodiment.description(), embodiment.aliases
        return lambda name: description.joint(aliases.get(name, name))
    return robot.joint if robot else None
