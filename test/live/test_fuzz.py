"""Thousands of broken messages into the inputs of a live model: each is used or rejected, and the model goes on."""

from types import SimpleNamespace

import numpy as np
import pytest

from hwm_core.data.recording.preprocessing import Preprocessing
from hwm_core.data.recording.trajectory_commands import TrajectoryCommands, TrajectoryPoints
from hwm_core.data.robot.manifest import fit_manifest
from hwm_core.errors import BadInput
from hwm_core.live.context import Context

NAMES = ("neck", "elbow")
PERIOD = 33_333_333
NUMBERS = (0.0, 1.0, -1e300, 1e30, 1e7, np.nan, np.inf, -np.inf)
LARGEST_NS = (2**31 - 1) * 10**9  # of a ROS stamp
ENCODINGS = ("rgb8", "bgr8", "mono16", "bayer_rggb8", "yuv422", "nv12", "32FC1", "", "RGB8", "\0")
FORMATS = ("jpeg", "png", "", "rgb8; jpeg compressed bgr8", "16UC1; compressedDepth", ";;", "h264")


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def stamp(rng, now):
    return int(rng.choice([0, -1, 1, now, now - 10**8, now + 10**10, now - 10**10, LARGEST_NS, now + PERIOD]))


def joints(rng):
    names = [str(name) for name in rng.choice([*NAMES, "wheel", "", "ä", "neck "], rng.integers(0, 5))]
    count = len(names) if rng.uniform() < 0.7 else int(rng.integers(0, 6))
    return names, rng.choice(NUMBERS, count).tolist()


def image(rng):
    data = rng.integers(0, 256, rng.integers(0, 400), dtype=np.uint8).tobytes()
    if rng.uniform() < 0.3:
        start = [b"\xff\xd8", b"\x89PNG", b""][rng.integers(3)]
        return SimpleNamespace(format=str(rng.choice(FORMATS)), data=start + data)
    height, width, step = (int(rng.choice([0, 1, 7, 8, 2**31])) for _ in range(3))
    return SimpleNamespace(
        encoding=str(rng.choice(ENCODINGS)), height=height, width=width, step=step, is_bigendian=1, data=data
    )


def good(now):
    data = bytes(3 * 64)
    return SimpleNamespace(encoding="rgb8", height=8, width=8, step=24, is_bigendian=0, data=data)


def accepted(add, *message):
    """Whether a message is used; any error but BadInput fails the test."""
    try:
        add(*message)
    except BadInput:
        return False
    return True


@pytest.mark.parametrize("kind", ["states", "commands"])
def test_after_any_messages_a_context_is_ready_again_with_good_ones(kind, rng):
    manifest = fit_manifest("robot", kind, NAMES, ("rad", "rad"), np.array([[-1.0, -1.0], [1.0, 1.0]]))
    context = Context(manifest, Preprocessing(source_aspect=1.0, crop="none", height=8, width=8), 9)
    now, used = 10**12, 0
    for _ in range(1000):
        number = int(rng.integers(0, 5000)) if rng.uniform() < 0.5 else None
        used += accepted(context.add_image, stamp(rng, now), image(rng))
        used += accepted(context.add_states, stamp(rng, now), *joints(rng), number)
        used += accepted(context.add_command, stamp(rng, now), *joints(rng), number)
        context.readiness_error()
        context.contested_joints()
        now += PERIOD
    assert 0 < used < 3000
    context.reset()
    for _ in range(12):
        context.add_states(now, NAMES, [0.0, 0.0])
        context.add_command(now - 1, NAMES, [0.0, 0.0])
        context.add_image(now, good(now))
        now += PERIOD
    assert np.isfinite(context.window().actions).all()


@pytest.mark.parametrize("stamp_ns", [10**12 + 3600 * 10**9, LARGEST_NS, 1])
def test_one_image_of_another_time_costs_one_context_and_no_more(stamp_ns):
    manifest = fit_manifest("robot", "states", NAMES, ("rad", "rad"), np.array([[-1.0, -1.0], [1.0, 1.0]]))
    context = Context(manifest, Preprocessing(source_aspect=1.0, crop="none", height=8, width=8), 9)
    ready = []
    for number in range(40):
        now = 10**12 + number * PERIOD
        context.add_states(now, NAMES, [0.0, 0.0])
        context.add_image(stamp_ns if number == 20 else now, good(now))
        ready.append(context.readiness_error() is None)
    assert ready[19] and all(ready[30:])


def test_trajectories_of_any_content_are_followed_or_rejected(rng):
    commands, followed = TrajectoryCommands(30.0), 0
    for _ in range(1000):
        names, _ = joints(rng)
        rows = [
            rng.choice(NUMBERS, len(names) if rng.uniform() < 0.8 else 1).tolist() for _ in range(rng.integers(0, 3))
        ]
        seconds = rng.choice([0.0, 0.5, 1.0, -1.0, np.nan], len(rows)).tolist()
        try:
            commands.replace(10**12, TrajectoryPoints.read(names, 10**12, seconds, rows))
        except BadInput:
            continue
        followed += 1
        assert len(list(commands.until(10**12 + 10**9))) < 100
    assert followed > 0
