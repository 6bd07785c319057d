"""Cameras that a bag holds as packets of a video stream."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from command import hwm
from recordings import NAMES, PERIOD, START, TOPICS, grey_image, recording_at

from hwm_core.data.recording.preprocessing import Preprocessing
from hwm_core.data.rosbag2.message_types import message_types
from hwm_core.data.rosbag2.recording import BagRecording
from hwm_core.data.rosbag2.topics import Topics
from hwm_core.data.rosbag2.video_packets import DEFINITIONS, FFMPEG, FOXGLOVE
from hwm_core.data.rosbag2.writer import BagWriter
from hwm_core.errors import BadImage, NoImages

PREPROCESSING = Preprocessing(source_aspect=4 / 3, height=12, width=12)
FOXGLOVE_TOPIC = "/camera/video"


def packets(encoder: str, frames: int = 20, **options: str) -> list[bytes]:
    """Frame t has the grey value 10 t."""
    context = av.CodecContext.create(encoder, "w")
    context.width, context.height, context.pix_fmt = 64, 48, "yuv420p"
    context.time_base = Fraction(1, 30)
    context.options = {"preset": "ultrafast", "tune": "zerolatency", **options}
    found = []
    for t in range(frames):
        frame = av.VideoFrame.from_ndarray(grey_image(10 * t, 48, 64), format="rgb24")
        frame.pts = t
        found += context.encode(frame)
    return [bytes(packet) for packet in [*found, *context.encode(None)]]


def record(path: Path, data: list[bytes], kind: str, encoding: str) -> Path:
    """A bag of packets and joint states; the state of frame t is t."""
    types = message_types(DEFINITIONS)
    with BagWriter(path, types) as bag:
        for t, packet in enumerate(data):
            stamp = START + t * PERIOD
            time = types.types["builtin_interfaces/msg/Time"](sec=stamp // 10**9, nanosec=stamp % 10**9)
            content = np.frombuffer(packet, np.uint8)
            if kind == FFMPEG:
                header = types.types["std_msgs/msg/Header"](stamp=time, frame_id="")
                sizes = {"width": 64, "height": 48, "pts": t, "flags": 0, "is_bigendian": False}
                message = types.types[kind](header=header, encoding=encoding, data=content, **sizes)
                bag.write(f"{TOPICS.image}/ffmpeg", message, stamp)
            else:
                message = types.types[kind](timestamp=time, frame_id="", data=content, format=encoding)
                bag.write(FOXGLOVE_TOPIC, message, stamp)
            bag.write_joints(TOPICS.joint_states, stamp, NAMES, [t] * 3)
    return path


def greys(recording) -> list[int]:
    return [round(int(frame.rgb[24, 32, 1]) / 10) for frame in recording.camera_frames()]


@pytest.mark.parametrize(
    ("kind", "topic", "encoder", "encoding"),
    [
        (FFMPEG, TOPICS.image, "libx264", "libx264"),
        (FFMPEG, TOPICS.image, "libx264", "h264;yuv420p;bgr8;bgr8"),
        (FFMPEG, TOPICS.image, "libx265", "hevc_nvenc"),
        (FOXGLOVE, FOXGLOVE_TOPIC, "libx264", "h264"),
        (FOXGLOVE, FOXGLOVE_TOPIC, "libx265", "h265"),
    ],
)
def test_every_packet_becomes_the_frame_of_its_own_stamp(tmp_path, kind, topic, encoder, encoding):
    bag = record(tmp_path / "run_1", packets(encoder), kind, encoding)
    recording = BagRecording(bag, Topics(image=topic))
    assert greys(recording) == list(range(20))
    episode, report = recording.read(PREPROCESSING)
    assert report.bad == 0 and np.abs(episode.frames[:, 6, 6, 1] / 10 - episode.states[:, 0]).max() < 0.5
    assert episode.stamps_ns.tolist() == [START + t * PERIOD for t in range(20)]


def test_frames_that_the_encoder_reordered_keep_their_stamps(tmp_path):
    reordered = packets("libx264", tune="film", bf="2", preset="medium")
    recording = BagRecording(record(tmp_path / "run_1", reordered, FFMPEG, "h264"), TOPICS)
    found = [frame.stamp_ns for frame in recording.camera_frames()]
    assert len(found) == 20 and sorted(found) == [START + t * PERIOD for t in range(20)]


def test_packets_before_the_first_key_frame_are_counted_with_the_reason(tmp_path):
    late = packets("libx264", g="8", keyint="8", **{"x264-params": "keyint=8:scenecut=0"})[3:]
    episode, report = BagRecording(record(tmp_path / "run_1", late, FFMPEG, "h264"), TOPICS).read(PREPROCESSING)
    assert report.bad == 5 and len(episode) == 12
    assert f"Video packet on {TOPICS.image}/ffmpeg" in report.first_fault and "key frame" in report.first_fault


@pytest.mark.parametrize("encoding", ["", "theora", "prores"])
def test_packets_of_an_unknown_codec_are_rejected_with_the_topic_and_what_it_takes(tmp_path, encoding):
    record(tmp_path / "run_1", packets("libx264", 5), FFMPEG, encoding)
    with pytest.raises(
        BadImage, match=rf"{TOPICS.image}/ffmpeg.*H\.264, H\.265.*got `{encoding}`.*republish ffmpeg raw"
    ):
        recording_at(tmp_path / "run_1").first_image()


def test_a_message_of_packets_with_other_fields_is_rejected_with_the_topic(tmp_path):
    types = message_types(DEFINITIONS)
    with BagWriter(tmp_path / "run_1", types) as bag:
        bag.write_serialized(f"{TOPICS.image}/ffmpeg", FFMPEG, b"\x00\x01\x00\x00" + bytes(64), START)
        bag.write_joints(TOPICS.joint_states, START, NAMES, [0] * 3)
    with pytest.raises(BadImage, match=r"/ffmpeg.*other fields.*republish"):
        recording_at(tmp_path / "run_1").first_image()


def theora_bag(path: Path) -> Path:
    types = message_types({"theora_image_transport/msg/Packet": "std_msgs/Header header\nuint8[] data\n"})
    with BagWriter(path, types) as bag:
        kind = "theora_image_transport/msg/Packet"
        bag.write_serialized(f"{TOPICS.image}/theora", kind, b"\x00\x01\x00\x00" + bytes(16), START)
        for t in range(10):
            bag.write_joints(TOPICS.joint_states, START + t * PERIOD, NAMES, [t] * 3)
    return path


def test_a_topic_in_a_form_that_is_not_read_is_named_with_what_it_takes(tmp_path):
    theora_bag(tmp_path / "run_1")
    with pytest.raises(NoImages, match=r"/theora holds theora_image_transport/msg/Packet.*republish theora raw"):
        recording_at(tmp_path / "run_1").first_image()
    chosen = BagRecording(tmp_path / "run_1", Topics(image=f"{TOPICS.image}/theora"))
    with pytest.raises(NoImages, match=r"no topic that can be read; .*republish theora raw"):
        chosen.first_image()


def test_a_bag_without_images_is_inspected_by_its_joint_values(tmp_path, capsys):
    theora_bag(tmp_path / "run_1")
    assert hwm("inspect", tmp_path / "run_1", "--dimensions") == 0
    output = capsys.readouterr().out
    assert (
        "run_1  no images" in output and "states        10 at 30.00 Hz" in output and "republish theora raw" in output
    )
    assert "elbow" in output
    assert hwm("verify", tmp_path / "run_1") == 1
