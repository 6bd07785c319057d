"""The rolling context: frames and joint values by stamp, flushes, counters, concurrency. No ROS."""

import threading
import tracemalloc
from types import SimpleNamespace

import numpy as np
import pytest

from hwm_core.data.recording.image_message import encode_image
from hwm_core.data.recording.preprocessing import Preprocessing
from hwm_core.data.robot.manifest import fit_manifest
from hwm_core.data.rosbag2.message_types import message_types
from hwm_core.data.rosbag2.recording import BagRecording
from hwm_core.data.rosbag2.topics import Topics
from hwm_core.data.rosbag2.writer import BagWriter
from hwm_core.errors import BadActions, BadImage, RobotMismatch
from hwm_core.live import context as context_module
from hwm_core.live.context import Context, NoContext

PERIOD = 1_000_000_000 // 30
START = 100_000_000_000
NAMES = ("neck", "elbow")
FRAMES = 9


def manifest(kind):
    return fit_manifest("robot", kind, NAMES, ("rad", "rad"), np.array([[-1.0, -1.0], [1.0, 1.0]]))


def context(kind="states"):
    return Context(manifest(kind), Preprocessing(source_aspect=1.0, crop="none", height=8, width=8), FRAMES)


def image(value=0, size=8, **changes):
    fields = {
        "encoding": "rgb8",
        "height": size,
        "width": size,
        "step": 3 * size,
        "is_bigendian": 0,
        "data": bytes([value]) * (3 * size * size),
    }
    return SimpleNamespace(**{**fields, **changes})


def feed(ctx, numbers, period=PERIOD, start=START):
    for number in numbers:
        ctx.add_states(start + number * period, NAMES, [number, -number])
        ctx.add_image(start + number * period, image(number))


def test_a_window_holds_the_newest_frames_each_with_the_state_at_its_stamp():
    ctx = context()
    feed(ctx, range(12))
    window = ctx.window()
    assert window.frames[:, 0, 0, 0].tolist() == list(range(3, 12))
    np.testing.assert_array_equal(window.actions, [[n, -n] for n in range(3, 12)])
    assert window.stamp_ns == START + 11 * PERIOD


def test_every_new_frame_ends_the_window():
    ctx = context()
    feed(ctx, range(9))
    first = ctx.window()
    feed(ctx, [9])
    np.testing.assert_array_equal(ctx.window().frames[:-1], first.frames[1:])
    assert not first.same_as(ctx.window())
    assert ctx.window().same_as(ctx.window())


def test_states_between_two_messages_are_interpolated_for_any_order_of_names():
    ctx = context()
    for number in range(10):
        ctx.add_states(START + number * PERIOD - PERIOD // 2, ["elbow", "wheel", "neck"], [-number, 99.0, number])
        ctx.add_image(START + number * PERIOD, image())
    # Frame n lies midway between messages n and n + 1. The newest frame has no later message: the newest one holds.
    np.testing.assert_allclose(ctx.window().actions[:, 0], [n + 0.5 for n in range(1, 9)] + [9.0], atol=1e-6)


def test_a_command_belongs_to_the_first_frame_after_it():
    ctx = context("commands")
    ctx.add_command(START - PERIOD, NAMES, [-1, 1])
    for number in range(9):
        ctx.add_image(START + number * PERIOD, image())
        ctx.add_command(START + number * PERIOD, NAMES, [number, -number])
    np.testing.assert_array_equal(ctx.window().actions[:, 0], range(-1, 8))
    np.testing.assert_array_equal(ctx.newest_action(), [8, -8])


def test_frames_without_an_earlier_command_give_no_context():
    ctx = context("commands")
    for number in range(9):
        ctx.add_image(START + number * PERIOD, image())
    ctx.add_command(START, NAMES, [0, 0])
    with pytest.raises(NoContext, match="commands"):
        ctx.window()


def test_too_few_frames_give_no_context_and_the_error_has_their_number():
    ctx = context()
    feed(ctx, range(8))
    with pytest.raises(NoContext, match="expected 9 frames at 30 Hz, got 8"):
        ctx.window()


def test_every_second_frame_of_a_camera_at_twice_the_rate_is_skipped_and_counted():
    ctx = context()
    feed(ctx, range(20), period=PERIOD // 2)
    assert np.diff(ctx.window().frames[:, 0, 0, 0].astype(int)).tolist() == [2] * 8
    assert (ctx.counters.images_used, ctx.counters.images_skipped) == (10, 10)


def half_rate(kind="commands"):
    """A context at 15 Hz, which is half the camera's rate."""
    preprocessing = Preprocessing(source_aspect=1.0, crop="none", height=8, width=8, frame_rate_hz=15.0)
    return Context(manifest(kind), preprocessing, FRAMES)


def command_every_image(ctx, numbers):
    """Each image is followed by the command for it, as the planner and the robot in lockstep do."""
    for number in numbers:
        ctx.add_image(START + number * PERIOD, image(number))
        ctx.add_command(START + number * PERIOD, NAMES, [number, -number])


def test_at_half_the_cameras_rate_a_frame_has_the_command_of_the_image_before_it():
    ctx = half_rate()
    command_every_image(ctx, range(20))
    window = ctx.window()
    assert window.frames[:, 0, 0, 0].tolist() == list(range(2, 20, 2))
    np.testing.assert_array_equal(window.actions[:, 0], range(1, 19, 2))
    np.testing.assert_array_equal(window.stamps_ns, START + PERIOD * np.arange(2, 20, 2))


def test_at_half_the_cameras_rate_the_context_is_ready_at_a_frame_of_the_model():
    ctx, ready = half_rate(), []
    for number in range(22):
        command_every_image(ctx, [number])
        if ctx.readiness_error() is None:
            ready.append(number)
    # Frame 0 has no command before it, so the first whole window holds the frames 2 to 18.
    assert ready[0] == 18


def test_the_newest_image_and_its_period_are_known_also_between_two_frames_of_the_model():
    ctx = half_rate("states")
    assert (ctx.newest_image_ns, ctx.image_period_s) == (None, 0.0)
    feed(ctx, range(4))
    assert (ctx.newest_stamp_ns, ctx.newest_image_ns) == (START + 2 * PERIOD, START + 3 * PERIOD)
    assert ctx.image_period_s == pytest.approx(1 / 30, rel=1e-6)


def test_a_camera_that_loses_every_seventh_image_keeps_a_model_of_half_its_rate_in_step():
    ctx = half_rate("states")
    feed(ctx, [number for number in range(60) if number % 7 != 3])
    window = ctx.window()
    assert ctx.counters.flushes_gap == 0
    assert np.abs(np.diff(window.stamps_ns) - 2 * PERIOD).max() <= PERIOD + 1


def test_one_lost_frame_is_replaced_by_a_repeat_and_counted():
    ctx = context()
    feed(ctx, [*range(6), *range(7, 10)])
    frames = ctx.window().frames[:, 0, 0, 0].tolist()
    assert len(frames) == 9 and 6 not in frames
    assert ctx.counters.frames_repeated == 1
    assert ctx.counters.flushes_gap == 0


def test_a_gap_flushes_the_frames():
    ctx = context()
    feed(ctx, [*range(9), *range(20, 28)])
    assert ctx.counters.flushes_gap == 1
    assert ctx.frames_held == 8
    feed(ctx, [28])
    assert ctx.window().frames[0, 0, 0, 0] == 20


def test_a_backward_clock_jump_flushes_the_frames_and_the_context_fills_again():
    ctx = context()
    feed(ctx, range(9))
    feed(ctx, range(9), start=START - 50_000_000_000)
    assert ctx.counters.flushes_clock == 1
    assert ctx.window().stamp_ns == START - 50_000_000_000 + 8 * PERIOD


@pytest.mark.parametrize(
    "message",
    [
        pytest.param(image(data=b"\0" * 30), id="truncated"),
        pytest.param(image(encoding="32FC1"), id="unknown encoding"),
        pytest.param(image(width=16, step=48, data=b"\0" * 384), id="other aspect"),
        pytest.param(SimpleNamespace(format="jpeg", data=b"\xff\xd8no jpeg"), id="not a jpeg"),
    ],
)
def test_a_bad_image_is_counted_and_does_not_change_the_context(message):
    ctx = context()
    feed(ctx, range(9))
    before = ctx.window()
    with pytest.raises(BadImage):
        ctx.add_image(START + 9 * PERIOD, message)
    assert ctx.counters.images_dropped == 1
    assert ctx.window().same_as(before)


def test_a_repeated_stamp_does_not_change_the_context():
    ctx = context()
    feed(ctx, range(9))
    before = ctx.window()
    ctx.add_image(START + 8 * PERIOD, image(99))
    assert ctx.window().same_as(before)
    assert (ctx.counters.images_skipped, ctx.counters.images_dropped) == (1, 0)


@pytest.mark.parametrize("stamp", [0, START + 7 * PERIOD])
def test_zero_and_late_image_stamps_are_counted_as_dropped(stamp):
    ctx = context()
    feed(ctx, range(9))
    with pytest.raises(BadImage, match="stamp"):
        ctx.add_image(stamp, image())
    assert ctx.counters.images_dropped == 1
    assert ctx.window().stamp_ns == START + 8 * PERIOD


@pytest.mark.parametrize(
    ("stamp", "names", "positions"),
    [(START, NAMES, [np.nan, 0]), (START, NAMES, [0.0]), (0, NAMES, [0, 0]), (START - 1, NAMES, [0, 0])],
    ids=["NaN", "one value", "zero stamp", "late"],
)
def test_bad_joint_values_are_counted_and_dropped(stamp, names, positions):
    ctx = context()
    ctx.add_states(START, NAMES, [1, 2])
    with pytest.raises(BadActions):
        ctx.add_states(stamp, names, positions)
    assert ctx.counters.joint_messages_dropped == 1
    np.testing.assert_array_equal(ctx.newest_action(), [1, 2])


@pytest.mark.parametrize("kind", ["states", "commands"])
def test_a_robot_with_other_joints_is_rejected_with_their_names(kind):
    ctx = context(kind)
    for number in range(-1, 9):
        ctx.add_command(START + number * PERIOD - 1, NAMES, [0, 0])
        ctx.add_image(START + number * PERIOD, image())
        ctx.add_states(START + number * PERIOD, ["neck", "elbow_joint"], [0, 0])
    with pytest.raises(RobotMismatch, match="`elbow` may now be `elbow_joint`"):
        ctx.window()


def test_a_second_publisher_of_other_joints_is_counted_but_the_robot_is_accepted():
    ctx = context()
    for number in range(9):
        feed(ctx, [number])
        with pytest.raises(RobotMismatch):
            ctx.add_states(START + number * PERIOD, ["wheel"], [0])
    assert ctx.counters.joint_messages_dropped == 9
    assert ctx.window().stamp_ns == START + 8 * PERIOD


def test_a_long_window_at_a_low_rate_is_covered_by_joint_states_at_1_khz():
    slow = Context(
        manifest("states"), Preprocessing(source_aspect=1.0, crop="none", height=8, width=8, frame_rate_hz=5.0), 17
    )
    for millisecond in range(3300):
        slow.add_states(START + millisecond * 1_000_000, NAMES, [0.0] * len(NAMES))
        if millisecond % 200 == 0:
            slow.add_image(START + millisecond * 1_000_000, image(1))
    assert slow.window().actions.shape == (17, len(NAMES))


def test_while_the_newest_joint_states_are_on_their_way_the_window_ends_before_their_frames():
    ctx = context()
    feed(ctx, range(11))
    before = ctx.window()
    for number in (11, 12):
        ctx.add_image(START + number * PERIOD, image(number))
    late_by_two = ctx.window()
    assert late_by_two.stamp_ns in (before.stamp_ns, before.stamp_ns + PERIOD), "1.5 periods are held"
    ctx.add_states(START + 12 * PERIOD, NAMES, [12, -12])
    assert ctx.window().stamp_ns == START + 12 * PERIOD
    np.testing.assert_allclose(ctx.window().actions[-2], [11, -11], atol=1e-6)


@pytest.mark.parametrize("kind", ["states", "commands"])
def test_no_frame_and_no_joint_value_is_used_across_a_cut(kind):
    ctx = context(kind)
    for number in range(10):
        ctx.add_command(START + number * PERIOD - 1, NAMES, [1, 1])
        feed(ctx, [number])
    assert ctx.readiness_error() is None
    ctx.cut()
    assert ctx.counters.flushes_cut == 1 and ctx.counters.images_used == 10
    for number in range(10, 19):
        ctx.add_image(START + number * PERIOD, image(number))
    with pytest.raises(NoContext, match=r"joint states|commands"):
        ctx.window()


@pytest.mark.parametrize("late_ms", [50, 150, 900])
def test_one_late_image_costs_itself_alone(late_ms):
    ctx = context()
    feed(ctx, range(12))
    with pytest.raises(BadImage, match="stamp"):
        ctx.add_image(START + 11 * PERIOD - late_ms * 1_000_000, image())
    feed(ctx, [12])
    assert (ctx.counters.flushes_clock, ctx.counters.images_dropped) == (0, 1)
    assert ctx.window().stamp_ns == START + 12 * PERIOD


def test_a_reset_forgets_frames_joints_and_counters():
    ctx = context()
    feed(ctx, range(9))
    ctx.reset()
    assert (ctx.frames_held, ctx.newest_stamp_ns, ctx.counters.images_received) == (0, None, 0)
    with pytest.raises(NoContext):
        ctx.newest_action()


def test_a_repeated_image_is_counted_as_skipped_with_drop_repeats():
    ctx = Context(
        manifest("states"), Preprocessing(source_aspect=1.0, crop="none", height=8, width=8, drop_repeats=True), FRAMES
    )
    for number, value in enumerate((1, 1, 2)):
        ctx.add_image(START + number * PERIOD, image(value))
    counters = ctx.counters
    assert (counters.images_received, counters.images_skipped, counters.images_dropped) == (3, 1, 0)
    assert ctx.newest_stamp_ns == START + 2 * PERIOD


@pytest.mark.parametrize("frames", [8, 9])
def test_readiness_is_the_error_of_the_window(frames):
    ctx = context()
    feed(ctx, range(frames))
    error = ctx.readiness_error()
    if error is None:
        assert ctx.window().stamp_ns == START + 8 * PERIOD
    else:
        with pytest.raises(NoContext) as raised:
            ctx.window()
        assert str(raised.value) == str(error) and frames == 8


def test_readiness_copies_no_frames():
    size = 256
    ctx = Context(manifest("states"), Preprocessing(source_aspect=1.0, crop="none", height=size, width=size), FRAMES)
    for number in range(FRAMES):
        ctx.add_states(START + number * PERIOD, NAMES, [0.0, 0.0])
        ctx.add_image(START + number * PERIOD, image(number, size=size))
    tracemalloc.start()
    assert ctx.readiness_error() is None
    _, readiness_bytes = tracemalloc.get_traced_memory()
    ctx.window()
    _, window_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert readiness_bytes < 3 * size * size < window_bytes


@pytest.fixture
def slow_image(monkeypatch):
    """A context with a full window, and a thread that decodes one more image until `release` is set."""
    ctx, decoding, release = context(), threading.Event(), threading.Event()
    feed(ctx, range(9))
    decode = context_module.decode_image

    def slow_decode(message):
        decoding.set()
        assert release.wait(60)
        return decode(message)

    monkeypatch.setattr(context_module, "decode_image", slow_decode)
    thread = threading.Thread(target=ctx.add_image, args=(START + 9 * PERIOD, image(9)))
    thread.start()
    assert decoding.wait(60)
    yield SimpleNamespace(context=ctx, thread=thread, release=release)
    release.set()
    thread.join(60)


def test_the_format_of_a_compressed_image_counts_as_in_a_recording():
    # A red image that was compressed as rgb8, so red and blue are swapped in the file.
    data = encode_image(np.broadcast_to(np.array([0, 0, 255], np.uint8), (8, 8, 3)).copy(), "png")
    ctx = context()
    feed(ctx, range(8))
    ctx.add_states(START + 8 * PERIOD, NAMES, [8, -8])
    ctx.add_image(START + 8 * PERIOD, SimpleNamespace(format="rgb8; png compressed rgb8", data=data))
    assert ctx.window().frames[-1, 0, 0].tolist() == [255, 0, 0]
    with pytest.raises(BadImage, match="depth"):
        ctx.add_image(START + 9 * PERIOD, SimpleNamespace(format="16UC1; png compressed ", data=data))
    assert ctx.counters.images_dropped == 1


def test_a_slow_decode_blocks_neither_joint_messages_nor_readers(slow_image):
    ctx = slow_image.context
    ctx.add_states(START + 9 * PERIOD, NAMES, [9, -9])
    np.testing.assert_array_equal(ctx.newest_action(), [9, -9])
    assert ctx.readiness_error() is None and ctx.window().stamp_ns == START + 8 * PERIOD
    assert slow_image.thread.is_alive(), "the image is still being decoded"
    slow_image.release.set()
    slow_image.thread.join(60)
    assert ctx.window().stamp_ns == START + 9 * PERIOD


def test_images_enter_the_context_in_the_order_of_their_calls(slow_image):
    ctx = slow_image.context
    later = threading.Thread(target=ctx.add_image, args=(START + 10 * PERIOD, image(10)))
    later.start()
    slow_image.release.set()
    for thread in (slow_image.thread, later):
        thread.join(60)
    assert ctx.counters.images_dropped == 0 and ctx.newest_stamp_ns == START + 10 * PERIOD


def test_a_reset_forgets_an_image_that_is_being_decoded(slow_image):
    ctx = slow_image.context
    reset = threading.Thread(target=ctx.reset)
    reset.start()
    slow_image.release.set()
    for thread in (slow_image.thread, reset):
        thread.join(60)
    assert (ctx.frames_held, ctx.counters.images_received) == (0, 0)


@pytest.mark.parametrize("kind", ["states", "commands"])
def test_the_live_context_equals_the_end_of_a_bag_of_the_same_run(kind, tmp_path):
    rng = np.random.default_rng(0)
    ctx = context(kind)
    types = message_types()
    with BagWriter(tmp_path / "run", types) as bag:
        for tick in range(1, 160):  # joints at 120 Hz, a jittering camera at 40 Hz that loses every tenth frame
            stamp = START + tick * PERIOD // 4 + int(rng.integers(-500_000, 500_000))
            values = rng.normal(size=2)
            bag.write_joints("/joint_states", stamp, NAMES, values)
            ctx.add_states(stamp, NAMES, values)
            if tick % 4 == 1:
                bag.write_joints("/joint_commands", stamp, NAMES, -values)
                ctx.add_command(stamp, NAMES, -values)
            if tick % 3 == 0 and rng.uniform() > 0.1:
                pixels = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
                bag.write_image("/head_camera/image_raw", stamp, pixels)
                ctx.add_image(stamp, image(data=pixels.tobytes()))
    preprocessing = Preprocessing(source_aspect=1.0, crop="none", height=8, width=8)
    episode, _ = BagRecording(tmp_path / "run", Topics()).read(preprocessing, NAMES)
    window = ctx.window()
    np.testing.assert_array_equal(window.frames, episode.frames[-FRAMES:])
    np.testing.assert_array_equal(window.stamps_ns, episode.stamps_ns[-FRAMES:])
    recorded = episode.commands if kind == "commands" else episode.states
    np.testing.assert_allclose(window.actions, recorded[-FRAMES:], atol=1e-6)
