"""ROS image messages to RGB: encodings, padding, byte order, and messages that do not fit their header."""

from array import array
from types import SimpleNamespace

import numpy as np
import pytest

from hwm_core.data.recording.image_message import decode_image, encode_image
from hwm_core.errors import BadImage

RGB = np.random.default_rng(0).integers(0, 256, (4, 6, 3), dtype=np.uint8)
GREY = RGB[..., 0]
OPAQUE = np.full((4, 6, 1), 255, dtype=np.uint8)


def image(pixels, encoding, padding=0, is_bigendian=0, **changes):
    """A sensor_msgs/Image with array('B') data, as in rclpy."""
    height, width = pixels.shape[:2]
    rows = np.ascontiguousarray(pixels).reshape(height, -1).view(np.uint8)
    data = np.pad(rows, ((0, 0), (0, padding)), constant_values=77)
    fields = {"encoding": encoding, "height": height, "width": width, "step": data.shape[1]}
    fields |= {"is_bigendian": is_bigendian, "data": array("B", data.tobytes())}
    return SimpleNamespace(**{**fields, **changes})


def compressed(data, form="jpeg"):
    return SimpleNamespace(format=form, data=array("B", data))


def mosaic(pattern, red=200, green=100, blue=50):
    """A single colour behind a Bayer filter; the pattern lists its rows."""
    value = {"r": red, "g": green, "b": blue}
    tile = np.array([value[letter] for letter in pattern], dtype=np.uint8).reshape(2, 2)
    return np.tile(tile, (4, 4))


@pytest.mark.parametrize("padding", [0, 10])
@pytest.mark.parametrize(
    ("encoding", "pixels"),
    [
        ("rgb8", RGB),
        ("bgr8", RGB[..., ::-1]),
        ("rgba8", np.concatenate([RGB, OPAQUE], axis=2)),
        ("bgra8", np.concatenate([RGB[..., ::-1], OPAQUE], axis=2)),
    ],
)
def test_colour_images_decode_to_rgb_with_any_channel_order_and_row_padding(encoding, pixels, padding):
    assert np.array_equal(decode_image(image(pixels, encoding, padding)), RGB)


@pytest.mark.parametrize("padding", [0, 10])
def test_grey_images_decode_to_three_equal_channels(padding):
    expected = np.stack([GREY] * 3, axis=2)
    assert np.array_equal(decode_image(image(GREY, "mono8", padding)), expected)
    # 16 bits: the upper byte is used, in either byte order.
    wide = GREY.astype(np.uint16) * 256 + 99
    assert np.array_equal(decode_image(image(wide.astype("<u2"), "mono16", padding)), expected)
    assert np.array_equal(decode_image(image(wide.astype(">u2"), "mono16", padding, is_bigendian=1)), expected)


@pytest.mark.parametrize("pattern", ["rggb", "bggr", "gbrg", "grbg"])
def test_each_bayer_pattern_gives_the_colour_behind_the_filter(pattern):
    decoded = decode_image(image(mosaic(pattern), f"bayer_{pattern}8"))
    assert np.array_equal(decoded[1:-1, 1:-1], np.broadcast_to([200, 100, 50], (6, 6, 3)))


@pytest.mark.parametrize(("encoding", "luma"), [("yuv422", 1), ("uyvy", 1), ("yuv422_yuy2", 0), ("yuyv", 0)])
def test_yuv_is_decoded_with_the_luma_position_of_the_encoding(encoding, luma):
    # BT.601 video range: Y 235, U = V = 128 is white, Y 16 black.
    pixels = np.full((2, 4, 2), 128, dtype=np.uint8)
    pixels[:, :, luma] = [235, 235, 16, 16]
    assert np.array_equal(decode_image(image(pixels, encoding))[0], np.repeat([[255] * 3, [0] * 3], 2, axis=0))


def test_png_is_lossless_and_jpeg_nearly_so():
    smooth = np.broadcast_to(np.linspace(0, 255, 64, dtype=np.uint8)[:, None, None], (64, 64, 3)).copy()
    assert np.array_equal(decode_image(compressed(encode_image(RGB, "png"), "png")), RGB)
    assert np.abs(decode_image(compressed(encode_image(smooth, "jpeg"))).astype(int) - smooth).max() < 8


def test_red_stays_red_through_jpeg():
    red = np.zeros((16, 16, 3), dtype=np.uint8) + np.array([255, 0, 0], dtype=np.uint8)
    decoded = decode_image(compressed(encode_image(red, "jpeg"))).astype(int)
    assert decoded[..., 0].min() > 240 and decoded[..., 1:].max() < 15


def test_zeros_after_the_end_of_a_jpeg_are_ignored():
    data = encode_image(RGB, "jpeg")
    assert np.array_equal(decode_image(compressed(data + bytes(100))), decode_image(compressed(data)))


@pytest.mark.parametrize(
    "changes",
    [
        {"data": bytes(30)},
        {"data": b""},
        {"step": 17},  # 6 pixels of 3 bytes need 18
        {"height": 0},
        {"width": 0},
        {"height": 5},
        {"width": 2**32 - 1},
        {"step": 2**32 - 1},
    ],
)
def test_bytes_that_do_not_fit_the_header_are_rejected(changes):
    with pytest.raises(BadImage, match="rgb8 image of"):
        decode_image(image(RGB, "rgb8", **changes))


def test_the_last_row_may_lack_its_padding():
    whole = image(RGB, "rgb8", padding=10)
    whole.data = whole.data[:-10]
    assert np.array_equal(decode_image(whole), RGB)


@pytest.mark.parametrize("encoding", ["", "yuv444", "bayer_rggb12", "RGB8", "h264"])
def test_an_unknown_encoding_is_rejected_with_a_list_of_the_known_ones(encoding):
    with pytest.raises(BadImage, match=r"bayer_rggb8.*yuyv|yuyv.*bayer_rggb8"):
        decode_image(image(RGB, encoding))


def test_a_yuv_image_of_odd_width_is_rejected():
    with pytest.raises(BadImage, match="5x2"):
        decode_image(image(np.zeros((2, 5, 2), dtype=np.uint8), "yuv422"))


@pytest.mark.parametrize("form", ["jpeg", "png"])
@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 0.99])
def test_a_truncated_compressed_image_is_rejected(form, share):
    data = encode_image(np.tile(RGB, (8, 8, 1)), form)
    with pytest.raises(BadImage, match="Compressed image"):
        decode_image(compressed(data[: int(share * len(data))], form))


def test_bytes_that_are_not_an_image_are_rejected():
    with pytest.raises(BadImage, match="10 bytes"):
        decode_image(compressed(bytes(range(10))))
