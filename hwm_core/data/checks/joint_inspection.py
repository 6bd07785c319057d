"""Inspects the joint values of a recording that has no images."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hwm_core.data.checks.joint_summary import JointSummary, joint_remarks, summarise_joints
from hwm_core.data.checks.rate import Rate, measure_rate
from hwm_core.data.recording.events import Channel, Event, JointValues, Notice
from hwm_core.data.recording.publisher_check import PublisherCheck
from hwm_core.data.recording.recording import Recording
from hwm_core.data.robot.description import Joint
from hwm_core.errors import BadActions, BadBag, BadInput


@dataclass(frozen=True)
class JointInspection:
    """Measurements of the joint values of one recording, at their own times."""

    name: str
    rates: dict[str, Rate]  # by channel: states, commands
    joints: dict[str, tuple[JointSummary, ...]]  # by channel
    notices: tuple[str, ...]  # of the reader
    bad: int  # messages left out
    first_fault: str  # of the bad messages

    def remarks(self) -> list[str]:
        """What is suspicious, a sentence each."""
        found = [f"{self.bad} bad messages ({self.first_fault})"] if self.bad else []
        for channel, rate in self.rates.items():
            if rate.gaps:
                found.append(f"{channel}: {len(rate.gaps)} gaps, the longest {max(s for _, s in rate.gaps):.2f} s")
            if rate.jumps:
                found.append(f"{channel}: the clock jumps back {rate.jumps} times")
        return [*found, *joint_remarks(self.joints), *self.notices]


def inspect_joints(recording: Recording, joint: Callable[[str], Joint] | None = None) -> JointInspection:
    """Measure the joint values of a recording.

    Args:
        recording: the recording.
        joint: unit and limits of a joint by its name, if known.

    Raises:
        BadInput: the recording cannot be read, has no joint values, or has publishers that contradict each other.
    """
    stamps: dict[Channel, list[int]] = {}
    values: dict[Channel, dict[str, list[float]]] = {}  # by channel and joint: a message may name some of the joints
    faults: list[BadInput] = []
    notices: list[str] = []
    publishers = PublisherCheck()
    for event in recording.joint_events():
        if isinstance(event, Notice):
            notices.append(event.text)
        if not isinstance(event, Event):
            continue
        try:
            content = event.load()
            assert isinstance(content, JointValues)
            _require_finite(content)
        except BadInput as fault:
            faults.append(fault)
            continue
        publishers.add(event.channel, content)
        stamps.setdefault(event.channel, []).append(content.stamp_ns)
        for name, value in zip(content.names, content.positions, strict=True):
            values.setdefault(event.channel, {}).setdefault(name, []).append(float(value))
    if not values:
        raise (faults or [BadBag(recording.name, expected="joint values", got="none", remedy="Check the topics.")])[0]
    publishers.require_agreement(recording.name)
    return JointInspection(
        name=recording.name,
        rates={channel: measure_rate(np.array(some)) for channel, some in stamps.items()},
        joints={
            channel: tuple(
                summary
                for name, column in joints.items()
                for summary in summarise_joints([name], np.array(column)[:, None], joint)
            )
            for channel, joints in values.items()
        },
        notices=tuple(notices),
        bad=len(faults),
        first_fault=str(faults[0]) if faults else "",
    )


def _require_finite(content: JointValues) -> None:
    positions = np.asarray(content.positions, dtype=np.float64)
    if positions.shape != (len(content.names),) or not np.isfinite(positions).all():
        raise BadActions(
            "Joint values",
            expected=f"{len(content.names)} finite numbers, one for each name",
            got=f"{list(positions.shape)}, {int((~np.isfinite(positions)).sum())} of them not finite",
            remedy="Correct them where they are published or stored.",
        )
