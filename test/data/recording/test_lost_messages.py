"""What verify says where messages are there but cannot be used, or are of another time or camera."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest
from recordings import NAMES, PERIOD, START, grey_image

from hwm_core.data.checks.verification import verify_recording
from hwm_core.data.recording.events import CameraFrame, Channel, JointValues, decoded_event, failed_event
from hwm_core.data.recording.packet_decoder import PacketDecoder
from hwm_core.data.recording.recording import Recording
from hwm_core.errors import BadImage, BeforeKeyFrame

FRAMES = 60
Content = CameraFrame | JointValues | Exception


@dataclass(frozen=True)
class Changed(Recording):
    """2 s of 30 Hz with a state, an image and a command a period, each changed by `change(channel, frame, content)`."""

    change: Callable[[Channel, int, Content], Content]
    name: str = "run"

    def events(self):
        for t in range(FRAMES):
            stamp = START + t * PERIOD
            values = JointValues(stamp, NAMES, np.full(3, 0.01 * t), publisher=0)
            for channel, content in (
                ("states", values),
                ("images", CameraFrame(stamp, grey_image(t))),
                ("commands", values),
            ):
                changed = self.change(channel, t, content)
                failed = isinstance(changed, Exception)
                yield failed_event(channel, changed) if failed else decoded_event(channel, changed)


def bad(channel, which, fault=BadImage):
    """Messages that cannot be used."""

    def change(of, t, content):
        return fault("Message", expected="x", got="y", remedy="z") if of == channel and t in which else content

    return change


def not_finite(channel, which):
    def change(of, t, content):
        return replace(content, positions=np.full(3, np.nan)) if of == channel and t in which else content

    return change


def shifted(channel, periods, which=range(FRAMES)):
    def change(of, t, content):
        moved = of == channel and t in which
        return replace(content, stamp_ns=content.stamp_ns + periods * PERIOD) if moved else content

    return change


def from_camera(which, camera="right", width=32):
    def change(of, t, content):
        other = of == "images" and t in which
        return replace(content, camera=camera, rgb=grey_image(t, width * 3 // 4, width)) if other else content

    return change


@pytest.mark.parametrize(
    ("change", "faults"),
    [
        (bad("images", range(30, 60)), ["30 of 60 images cannot be used, up to 30 in a row"]),
        (bad("images", range(20, 24)), ["4 of 60 images cannot be used, up to 4 in a row"]),
        (bad("images", range(0, 60, 3)), ["20 of 60 images cannot be used, up to 1 in a row"]),
        (not_finite("states", range(40, 60)), ["20 frames are lost because of unusable joint messages"]),
        (not_finite("states", range(10)), ["10 frames are lost because of unusable joint messages"]),
        # The command of frame 29 is the newest one for 0.2 s: frames 30 to 35 (their ages are 1 to 6 periods).
        (not_finite("commands", range(30, 60)), ["24 frames are lost because of unusable joint messages"]),
        (not_finite("commands", range(30, 40)), ["5 frames are lost because of unusable joint messages"]),
        # The first frame has no command before it.
        (shifted("states", -300, range(20, 60)), ["41 of 60 frames have no joint values of their time"]),
        (shifted("commands", -900), ["expected joint values at the stamps of the images"]),
        (
            from_camera(range(1, 60, 2)),
            ["the images change 59 times between 2 cameras (no frame_id 32x24, right 32x24"],
        ),
        (from_camera(range(1, 60, 2), "", 64), ["between 2 cameras (no frame_id 32x24, no frame_id 64x48)"]),
    ],
)
def test_what_costs_many_frames_or_mixes_cameras_is_a_fault(change, faults):
    found = [one.text for one in verify_recording(Changed(change)) if one.level == "fault"]
    assert len(found) == len(faults), found
    for text, expected in zip(found, faults, strict=True):
        assert expected in text


@pytest.mark.parametrize(
    ("change", "note"),
    [
        (bad("images", [7, 30, 50]), "3 bad messages"),
        (bad("images", range(20), BeforeKeyFrame), "20 bad messages"),
        (not_finite("states", range(0, 60, 2)), "30 bad messages"),
        (not_finite("states", [59]), "1 bad message"),
        (not_finite("commands", range(30, 35)), "5 bad messages"),
        # The last command comes at frame 14; frame 45 is the first that is more than 1 s (30 periods) later.
        (shifted("commands", -45), "15 frames with commands over 1 s old"),
        (from_camera(range(30, 60)), "1 frame without joint values"),
    ],
)
def test_what_costs_few_frames_is_a_note(change, note):
    found = verify_recording(Changed(change))
    assert [one.level for one in found] == ["note"] and note in found[0].text


@pytest.mark.parametrize(
    ("names", "got"), [((), "got no names. Make the publisher fill"), (("",) * 3, "got an empty name more than once")]
)
def test_joint_messages_without_names_are_rejected_with_that_remedy(names, got):
    def change(of, t, content):
        return content if of == "images" else replace(content, names=names)

    (found,) = verify_recording(Changed(change))
    assert found.level == "fault" and got in found.text


def test_packets_before_the_first_image_of_a_stream_are_of_their_own_kind():
    decoder = PacketDecoder("/camera")
    list(decoder.feed(0, "h264", bytes([0, 0, 0, 1, 65, 1, 2, 3])))
    assert [type(one.fault) for one in decoder.finish()] == [BeforeKeyFrame]
