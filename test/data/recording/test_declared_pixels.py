"""What a message says about its pixels is honoured, or rejected with the reason."""

from array import array
from io import BytesIO
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from PIL import Image

from hwm_core.data.recording.image_message import decode_image
from hwm_core.errors import BadImage

COLOUR = np.array([200, 80, 30], dtype=np.uint8)
PLAIN = np.broadcast_to(COLOUR, (16, 16, 3)).copy()
SWAPPED = PLAIN[..., ::-1]


def packed(form, array_of_opencv, codec=None):
    """A CompressedImage of what OpenCV takes for BGR or grey."""
    codec = codec or next(one for one in ("png", "tiff", "jpeg") if one in f"{form} jpeg")
    data = cv2.imencode(f".{codec}", array_of_opencv, [cv2.IMWRITE_JPEG_QUALITY, 100])[1]
    return SimpleNamespace(format=form, data=array("B", data.tobytes()))


def raw(encoding, samples, height, width):
    data = np.ascontiguousarray(samples)
    step = data.nbytes // data.shape[0]
    fields = {"encoding": encoding, "height": height, "width": width, "step": step, "is_bigendian": 0}
    return SimpleNamespace(**fields, data=array("B", data.tobytes()))


def mosaic(pattern, dtype=np.uint8, scale=1):
    value = dict(zip("rgb", (200, 80, 30), strict=True))
    tile = np.array([value[letter] for letter in pattern], dtype=dtype).reshape(2, 2) * dtype(scale)
    return np.tile(tile, (8, 8))


def near(image, tolerance=6):
    inside = image[2:-2, 2:-2].astype(int)
    return np.abs(inside - COLOUR.astype(int)).max() <= tolerance


@pytest.mark.parametrize(
    "form",
    [
        "jpeg",
        "png",
        "jpg",
        "image/jpeg",
        "rgb8; jpeg compressed bgr8",
        "bgr8; jpeg compressed bgr8",
        "bgra8; png compressed bgr8",
        "yuv422_yuy2; jpeg compressed bgr8",
        "bayer_rggb8; jpeg compressed bgr8",
        "jpeg compressed bgr8",
        "jpeg; ",
        "RGB8; JPEG compressed BGR8",
        "8UC3; jpeg compressed ",
    ],
)
def test_a_file_whose_colours_are_as_viewers_show_them_is_not_changed(form):
    assert near(decode_image(packed(form, SWAPPED)))


@pytest.mark.parametrize(
    "form",
    [
        "rgb8; jpeg compressed rgb8",
        "rgb8; jpeg compressed ",
        "rgb8; png compressed rgb8",
        "bgr8; jpeg compressed rgb8",
        "rgb8;png compressed rgb8",
        "rgba8; png compressed rgb8",
    ],
)
def test_a_file_of_rgb_that_opencv_took_for_bgr_is_swapped_back(form):
    assert near(decode_image(packed(form, PLAIN)))


@pytest.mark.parametrize("pattern", ["rggb", "bggr", "gbrg", "grbg"])
@pytest.mark.parametrize("codec", ["jpeg", "png", "tiff"])
def test_a_compressed_mosaic_gives_the_colours_behind_the_filter(pattern, codec):
    decoded = decode_image(packed(f"bayer_{pattern}8; {codec} compressed ", mosaic(pattern)))
    assert decoded.shape == (16, 16, 3) and near(decoded, 10)


@pytest.mark.parametrize("codec", ["png", "tiff"])
def test_a_mosaic_of_16_bits_keeps_the_upper_8(codec):
    samples = mosaic("rggb", np.uint16, 256)
    assert near(decode_image(packed(f"bayer_rggb16; {codec} compressed ", samples)))
    assert near(decode_image(raw("bayer_rggb16", samples, 16, 16)))


@pytest.mark.parametrize("form", ["mono8; jpeg compressed ", "mono8; png compressed mono8", "8UC1; png compressed "])
def test_grey_files_stay_grey(form):
    assert np.array_equal(decode_image(packed(form, np.full((16, 16), 90, np.uint8))), np.full((16, 16, 3), 90))


def test_grey_of_16_bits_that_is_declared_as_brightness_keeps_its_upper_8_bits():
    samples = np.full((16, 16), 90 * 256 + 200, np.uint16)
    assert np.array_equal(decode_image(packed("mono16; png compressed ", samples)), np.full((16, 16, 3), 90))


@pytest.mark.parametrize(
    "form",
    [
        "16UC1; png compressed ",
        "16UC1; compressedDepth png",
        "32FC1; compressedDepth",
        "compressedDepth",
        "16UC1; png compressed mono16",
        "32FC1; tiff compressed ",
        "16SC1; png compressed ",
    ],
)
def test_depth_is_rejected_as_depth(form):
    with pytest.raises(BadImage, match="depth"):
        decode_image(packed(form, np.full((16, 16), 1200, np.uint16), "png"))


@pytest.mark.parametrize("encoding", ["16UC1", "32FC1", "64FC1"])
def test_raw_depth_is_rejected_as_depth(encoding):
    with pytest.raises(BadImage, match="depth"):
        decode_image(raw(encoding, np.zeros((4, 4), np.float64), 4, 4))


@pytest.mark.parametrize("codec", ["png", "tiff"])
def test_grey_of_16_bits_without_a_statement_is_not_guessed(codec):
    with pytest.raises(BadImage, match="may be depth"):
        decode_image(packed(codec, np.full((16, 16), 1200, np.uint16)))


@pytest.mark.parametrize(
    "form", ["yuv422; jpeg compressed ", "bayer_rggb12; jpeg compressed ", "lab8; png compressed "]
)
def test_an_encoding_that_a_file_cannot_hold_is_rejected_with_its_name(form):
    with pytest.raises(BadImage, match=f"got `{form.split(';')[0]}`"):
        decode_image(packed(form, SWAPPED))


def test_a_colour_file_that_is_declared_as_a_mosaic_is_rejected():
    with pytest.raises(BadImage, match="behind a Bayer filter"):
        decode_image(packed("bayer_rggb8; png compressed ", SWAPPED))


def test_the_orientation_in_a_jpeg_is_applied():
    upright = np.zeros((16, 32, 3), dtype=np.uint8)
    upright[:, :16] = COLOUR
    stored = Image.fromarray(np.rot90(upright))  # a quarter turn to the left; 6: turn it to the right
    exif = Image.Exif()
    exif[0x0112] = 6
    out = BytesIO()
    stored.save(out, "jpeg", exif=exif, quality=100, subsampling=0)
    decoded = decode_image(SimpleNamespace(format="jpeg", data=array("B", out.getvalue())))
    assert decoded.shape == upright.shape
    assert np.abs(decoded.astype(int) - upright).max() < 20


@pytest.mark.parametrize(("encoding", "order"), [("nv12", 1), ("nv21", -1)])
def test_planes_of_yuv_420_give_their_colour(encoding, order):
    # BT.601, limited range: Y, U, V of (200, 80, 30).
    luma, chroma = 16 + 0.257 * 200 + 0.504 * 80 + 0.098 * 30, (90.4, 180.0)
    u, v = (128 - 0.148 * 200 - 0.291 * 80 + 0.439 * 30, 128 + 0.439 * 200 - 0.368 * 80 - 0.071 * 30)
    assert (u, v) == pytest.approx(chroma, abs=10)
    samples = np.full((24, 16), round(luma), dtype=np.uint8)
    samples[16:] = np.tile(np.round([u, v][::order]).astype(np.uint8), 8)
    padded = np.pad(samples, ((0, 0), (0, 8)))
    assert near(decode_image(raw(encoding, padded, 16, 16)), 4)
    with pytest.raises(BadImage, match="24 rows"):
        decode_image(raw(encoding, samples[:16], 16, 16))


@pytest.mark.parametrize("encoding", ["rgb16", "bgr16", "rgba16", "bgra16", "8UC3", "8UC4"])
def test_other_colour_encodings_give_their_colour(encoding):
    rgb = PLAIN[..., ::-1] if encoding.startswith(("bgr", "8UC")) else PLAIN
    if encoding.endswith(("a16", "C4")):
        rgb = np.concatenate([rgb, np.full((16, 16, 1), 255, np.uint8)], axis=2)
    samples = rgb.astype(np.uint16) * 256 + 7 if encoding.endswith("16") else rgb
    assert near(decode_image(raw(encoding, samples.reshape(16, -1), 16, 16)))
