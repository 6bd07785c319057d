"""A video is read as a player shows it, or rejected with the reason."""

from fractions import Fraction

import av
import numpy as np
import pytest
from recordings import write_video
from tagged_videos import FULL, LIMITED, LUMA, set_display_matrix, write_tagged_video

from hwm_core.data.recording.video_packets import check_packets, copy_packets
from hwm_core.data.recording.video_reader import VideoSpan, video_facts
from hwm_core.errors import BadBag

COLOUR = (200, 80, 30)
# A picture whose four quarters differ: grey values by row and column.
QUARTERS = np.array([[20, 90], [160, 230]], dtype=np.uint8)
CORNERS = ((4, 4), (4, -4), (-4, 4), (-4, -4))


def plain(height=32, width=48):
    return np.broadcast_to(np.array(COLOUR, np.uint8), (height, width, 3)).copy()


def quarters(height=32, width=48):
    grey = np.kron(QUARTERS, np.ones((height // 2, width // 2), np.uint8))
    return np.stack([grey] * 3, axis=2)


def first_image(path):
    return next(VideoSpan(path).decode())[1]


def test_an_interlaced_video_is_rejected_with_the_way_to_deinterlace_it(tmp_path):
    with av.open(str(tmp_path / "a.mkv"), "w") as container:
        stream = container.add_stream("mpeg2video", rate=25)
        stream.width, stream.height, stream.pix_fmt, stream.options = 48, 32, "yuv420p", {"flags": "+ildct+ilme"}
        for _ in range(3):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(plain(), format="rgb24")))
        container.mux(stream.encode())
    with pytest.raises(BadBag, match=r"expected whole pictures, got interlaced ones.*yadif"):
        first_image(tmp_path / "a.mkv")


@pytest.mark.parametrize("colour_range", [LIMITED, FULL])
@pytest.mark.parametrize("matrix", sorted(LUMA))
def test_the_colour_matrix_and_range_of_a_video_are_honoured(tmp_path, matrix, colour_range):
    path = write_tagged_video(tmp_path / "a.mp4", [plain()] * 3, matrix, colour_range)
    assert np.abs(first_image(path)[16, 24].astype(int) - COLOUR).max() <= 3


@pytest.mark.parametrize(
    ("matrix", "shown"),
    [
        ((1, 0, 0, 1), lambda image: image),
        ((0, 1, -1, 0), lambda image: np.rot90(image, -1)),  # a quarter turn to the right
        ((-1, 0, 0, -1), lambda image: np.rot90(image, 2)),
        ((0, -1, 1, 0), lambda image: np.rot90(image, 1)),
        ((-1, 0, 0, 1), lambda image: image[:, ::-1]),
        ((1, 0, 0, -1), lambda image: image[::-1]),
        ((0, 1, 1, 0), lambda image: image.transpose(1, 0, 2)),
        ((0, -1, -1, 0), lambda image: np.rot90(image, 2).transpose(1, 0, 2)),
    ],
)
def test_a_video_is_turned_and_flipped_as_its_display_matrix_says(tmp_path, matrix, shown):
    path = set_display_matrix(write_tagged_video(tmp_path / "a.mp4", [quarters()] * 3), *matrix)
    image, expected = first_image(path), shown(quarters())
    assert image.shape == expected.shape
    for corner in CORNERS:
        assert np.abs(image[corner].astype(int) - expected[corner]).max() <= 3


@pytest.mark.parametrize("matrix", [(0.7, 0.7, -0.7, 0.7), (1, 0, 0, 2), (0, 0, 0, 0)])
def test_other_display_matrices_are_rejected(tmp_path, matrix):
    path = set_display_matrix(write_tagged_video(tmp_path / "a.mp4", [plain()] * 3), *matrix)
    with pytest.raises(BadBag, match="display matrix"):
        first_image(path)


def test_pixels_that_are_not_square_are_stretched(tmp_path):
    path = write_tagged_video(tmp_path / "a.mp4", [quarters()] * 3, pixel_aspect=Fraction(4, 3))
    image = first_image(path)
    assert image.shape == (32, 64, 3)
    assert np.abs(image[4, [4, -4], 0].astype(int) - QUARTERS[0]).max() <= 3


@pytest.mark.parametrize("curve", [16, 18])
def test_hdr_is_rejected(tmp_path, curve):
    path = write_tagged_video(tmp_path / "a.mp4", [plain()] * 3, matrix=9, curve=curve)
    with pytest.raises(BadBag, match="HDR with the curve"):
        first_image(path)


def test_grey_of_more_than_8_bits_is_rejected(tmp_path):
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=30)
        stream.height, stream.width, stream.pix_fmt = 32, 48, "gray16le"
        frame = av.VideoFrame.from_ndarray(np.full((32, 48), 1200, np.uint16), format="gray16le")
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with pytest.raises(BadBag, match="gray16le, which may be depth"):
        first_image(path)


def test_videos_that_are_shown_differently_are_not_joined_and_a_copy_is_shown_the_same(tmp_path):
    upright = write_tagged_video(tmp_path / "a.mp4", [quarters()] * 4)
    turned = write_tagged_video(tmp_path / "b.mp4", [quarters()] * 4)
    assert video_facts(upright) == video_facts(turned)
    set_display_matrix(turned, 0, 1, -1, 0)
    assert video_facts(upright) != video_facts(turned)
    copy_packets([VideoSpan(turned), VideoSpan(turned)], [4, 4], 30, tmp_path / "c.mp4")
    assert np.array_equal(first_image(tmp_path / "c.mp4"), first_image(turned))


def test_packets_that_all_have_one_time_are_rejected_with_it(tmp_path):
    write_video(tmp_path / "a.mp4", 4, "libsvtav1")
    data = (tmp_path / "a.mp4").read_bytes()
    start = data.index(b"elst") + 16  # the time at which the file starts to be shown
    (tmp_path / "b.mp4").write_bytes(data[:start] + b"\x40" + data[start + 1 :])
    with pytest.raises(BadBag, match=r"30 frames per second.*got 4 frames at one time"):
        check_packets(VideoSpan(tmp_path / "b.mp4"), 4, 30)
