"""A depth map of a LeRobot dataset is never taken for a colour camera."""

import json
import shutil

import av
import numpy as np
import pytest
from recordings import PREPROCESSING, lerobot_dataset, recording_at

from hwm_core.data.checks.verification import verify_metadata
from hwm_core.data.lerobot.dataset import open_lerobot
from hwm_core.data.lerobot.metadata import read_statistics
from hwm_core.data.lerobot.versions import convert_version
from hwm_core.errors import BadBag

COLOUR, DEPTH = "observation.images.head", "observation.images.head_depth"
MARKS = [
    {"info": {"video.is_depth_map": True}},
    {"info": {"is_depth_map": True}},
    {"video_info": {"video.is_depth_map": True}},
    {"is_depth_map": True},
]


@pytest.fixture
def dataset(tmp_path):
    """A dataset with a colour camera and a video of depth."""
    path = lerobot_dataset(tmp_path / "set", (0, 1))
    videos = path / "videos/chunk-000"
    shutil.copytree(videos / COLOUR, videos / DEPTH)
    return mark(path, MARKS[0])


def mark(path, how, key=DEPTH):
    info = json.loads((path / "meta/info.json").read_text())
    info["features"][key] = {"dtype": "video", "shape": [48, 64, 1], **how}
    (path / "meta/info.json").write_text(json.dumps(info))
    return path


@pytest.mark.parametrize("how", MARKS)
def test_the_colour_camera_is_read_without_a_choice_and_the_depth_is_listed(dataset, how):
    assert open_lerobot(mark(dataset, how)).cameras == (COLOUR,)
    recording = recording_at(dataset, 0)
    assert len(recording.read(PREPROCESSING)[0]) == 19
    assert f"camera {DEPTH}" in recording.extras()
    assert f"`{DEPTH}` is a depth map: it is left out" in [one.text for one in verify_metadata(dataset)]


def test_a_video_that_is_marked_as_no_depth_is_a_camera(dataset):
    assert open_lerobot(mark(dataset, {"info": {"video.is_depth_map": False}})).cameras == (COLOUR, DEPTH)


def test_a_choice_of_depth_is_rejected_with_the_colour_cameras(dataset):
    with pytest.raises(BadBag, match=f"marks as a depth map. Choose one of {COLOUR}"):
        recording_at(dataset, 0, DEPTH).read(PREPROCESSING)


def test_depth_alone_is_rejected_as_depth(dataset):
    shutil.rmtree(dataset / "videos/chunk-000" / COLOUR)
    with pytest.raises(BadBag, match=f"only depth, which a world model does not see: {DEPTH}"):
        recording_at(dataset, 0).read(PREPROCESSING)


def test_a_conversion_between_versions_keeps_the_depth(dataset, tmp_path):
    convert_version(dataset, tmp_path / "new", "v3.0")
    converted = open_lerobot(tmp_path / "new")
    assert (converted.cameras, converted.video_keys) == ((COLOUR,), (COLOUR, DEPTH))


@pytest.mark.parametrize("version", ["v2.1", "v3.0"])
def test_a_conversion_of_the_version_copies_a_depth_video_that_does_not_decode_to_colours(dataset, tmp_path, version):
    for video in (dataset / "videos/chunk-000" / DEPTH).iterdir():
        with av.open(str(video), "w") as container:
            stream = container.add_stream("ffv1", rate=30)
            stream.width, stream.height, stream.pix_fmt = 64, 48, "gray16le"
            for value in range(20):
                frame = av.VideoFrame.from_ndarray(np.full((48, 64), 500 * value, np.uint16), format="gray16le")
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
    assert convert_version(dataset, tmp_path / "out", version).left_out == []
    after = open_lerobot(tmp_path / "out")
    assert after.video_keys == (COLOUR, DEPTH) and DEPTH not in read_statistics(after.path)[0]
    with av.open(str(after.entry(1).videos[DEPTH].path)) as container:
        values = [int(frame.to_ndarray()[0, 0]) for frame in container.decode(video=0)]
    assert values[-20:] == [500 * value for value in range(20)]
