"""Action manifests of many recordings of one robot."""

from collections.abc import Mapping, Sequence

import numpy as np

from hwm_core.data.robot.description import Robot
from hwm_core.data.robot.joint_series import JointSeries
from hwm_core.data.robot.manifest import ActionKind, ActionManifest, fit_manifest
from hwm_core.data.robot.value_checks import require_unit, undeclared_unit_warning


def fit_manifests(
    series: Sequence[JointSeries], robot: Robot, aliases: Mapping[str, str] | None, some_joints: bool = False
) -> dict[ActionKind, ActionManifest]:
    """Fit a manifest for states and a manifest for commands, where they were recorded.

    Args:
        series: joint values of at least one recording; all with the joints of the first.
        robot: units and limits of the joints.
        aliases: {name a robot publishes: name in the series}.
        some_joints: the series have only some of the robot's joints, so `robot` may describe others.

    Raises:
        BadConfig: `robot` describes a joint that no series has.
        BadActions: values cannot be in the declared unit, or as `fit_manifest`.
    """
    if not some_joints:
        robot.require_used(series[0].names)
    manifests: dict[ActionKind, ActionManifest] = {}
    kinds: tuple[ActionKind, ...] = ("states", "commands")
    for kind in kinds:
        values = [one.states if kind == "states" else one.commands for one in series]
        recorded = [some for some in values if some is not None]
        if recorded:
            together = np.concatenate(recorded)
            # Without an embodiment, a joint that no recording has in this kind is a joint of the other kind.
            there = np.flatnonzero(~np.isnan(together).all(axis=0)) if aliases is None else range(together.shape[1])
            names, together = [series[0].names[column] for column in there], together[:, there]
            joints = [robot.joint(name) for name in names]
            for joint, name, column in zip(joints, names, together.T, strict=True):
                if joint.declared:
                    require_unit(column, joint.unit, f"{kind.capitalize()}: {name}", f"the robot {robot.name}")
            manifests[kind] = fit_manifest(
                robot.name,
                kind,
                names,
                [joint.unit for joint in joints],
                together,
                [joint.limits for joint in joints],
                masked=True,  # readers reject NaN, so NaN can only be a dimension that the robot lacks
                aliases=aliases,
            )
    return manifests


def undeclared_units(manifests: Mapping[ActionKind, ActionManifest], robot: Robot) -> list[str]:
    """Warnings, a sentence each, about joints without a declared unit whose values do not look like radians."""
    remedy = "No unit is declared, so radians are assumed: declare it in the robot's file."
    return [
        f"{kind}: {name} {warning} {remedy}"
        for kind, one in manifests.items()
        for name, *extremes in zip(one.names, one.lower, one.upper, strict=True)
        if not robot.joint(name).declared and (warning := undeclared_unit_warning(name, np.array(extremes)))
    ]
