"""Action manifests of recordings and token sets as they are, without an episode store."""

from collections.abc import Iterable

from hwm_core.data.recording.recording import Recording
from hwm_core.data.robot.description import Robot
from hwm_core.data.robot.embodiment import Embodiment
from hwm_core.data.robot.fit_manifests import fit_manifests
from hwm_core.data.robot.joint_series import JointSeries
from hwm_core.data.robot.manifest import ActionKind, ActionManifest
from hwm_core.data.tokens.episodes import TokenEpisode


def measure_manifests(
    sources: Iterable[Recording | TokenEpisode], robot: Robot, embodiment: Embodiment | None = None
) -> dict[ActionKind, ActionManifest]:
    """Fit manifests to all frames of the sources.

    Args:
        sources: recordings and token episodes of one robot.
        robot: units and limits of its joints.
        embodiment: dimensions of the manifests; None takes the joints of the first source.

    Raises:
        BadInput: a source cannot be read.
    """
    series: list[JointSeries] = []
    for source in sources:
        names = series[0].names if series and embodiment is None else None
        joints: JointSeries
        if isinstance(source, TokenEpisode):
            joints = source if names is None else source.with_joints(names)
        else:
            joints = source.aligned_joints(names)
        series.append(embodiment.arrange(joints) if embodiment else joints)
    return fit_manifests(series, robot, embodiment.aliases if embodiment else None)
