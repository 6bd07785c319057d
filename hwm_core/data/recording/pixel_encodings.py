"""Pixel encodings of sensor_msgs/Image, and their conversion to RGB."""

import re
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from hwm_core.errors import BadImage

_DEPTH = re.compile(r"(16[US]|32[SF]|64F|8S)C1")  # cv_bridge's names for values without a colour


@dataclass(frozen=True)
class PixelEncoding:
    """How the samples of an image become RGB."""

    sample_bytes: int
    samples: int  # per pixel of a row
    to_rgb: int | None  # OpenCV's conversion code; None for RGB
    rows: float = 1.0  # rows of samples for each row of pixels


# OpenCV names a Bayer pattern by its second row, ROS by its first.
_BAYER = {
    "bayer_rggb": cv2.COLOR_BayerBG2RGB,
    "bayer_bggr": cv2.COLOR_BayerRG2RGB,
    "bayer_gbrg": cv2.COLOR_BayerGR2RGB,
    "bayer_grbg": cv2.COLOR_BayerGB2RGB,
}
_CHANNELS = {
    "rgb": (3, None),
    "bgr": (3, cv2.COLOR_BGR2RGB),
    "rgba": (4, cv2.COLOR_RGBA2RGB),
    "bgra": (4, cv2.COLOR_BGRA2RGB),
    "mono": (1, cv2.COLOR_GRAY2RGB),
    **{name: (1, code) for name, code in _BAYER.items()},
}
# Names from sensor_msgs/image_encodings.hpp. 8UC1, 8UC3 and 8UC4 are OpenCV's types, in the order that OpenCV uses.
ENCODINGS = {
    **{f"{name}8": PixelEncoding(1, samples, code) for name, (samples, code) in _CHANNELS.items()},
    **{f"{name}16": PixelEncoding(2, samples, code) for name, (samples, code) in _CHANNELS.items()},
    "8UC1": PixelEncoding(1, 1, cv2.COLOR_GRAY2RGB),
    "8UC3": PixelEncoding(1, 3, cv2.COLOR_BGR2RGB),
    "8UC4": PixelEncoding(1, 4, cv2.COLOR_BGRA2RGB),
    "yuv422": PixelEncoding(1, 2, cv2.COLOR_YUV2RGB_UYVY),
    "uyvy": PixelEncoding(1, 2, cv2.COLOR_YUV2RGB_UYVY),
    "yuv422_yuy2": PixelEncoding(1, 2, cv2.COLOR_YUV2RGB_YUY2),
    "yuyv": PixelEncoding(1, 2, cv2.COLOR_YUV2RGB_YUY2),
    "nv12": PixelEncoding(1, 1, cv2.COLOR_YUV2RGB_NV12, rows=1.5),
    "nv21": PixelEncoding(1, 1, cv2.COLOR_YUV2RGB_NV21, rows=1.5),
}
BAYER_NAMES = tuple(f"{pattern}{bits}" for pattern in _BAYER for bits in (8, 16))


def find_encoding(name: str) -> PixelEncoding:
    """The encoding of this name. Raises BadImage for depth and for unknown names."""
    reject_depth(name)
    if name not in ENCODINGS:
        raise BadImage(
            "Image encoding",
            expected=f"{', '.join(ENCODINGS)}, or a compressed image",
            got=f"`{name}`",
            remedy="Set the camera driver to one of these.",
        )
    return ENCODINGS[name]


def reject_depth(name: str) -> None:
    """Raises BadImage for the name of an encoding whose values are no brightness, such as depth in millimetres."""
    if _DEPTH.fullmatch(name.strip()) or "compresseddepth" in name.lower():
        raise BadImage(
            "Image encoding",
            expected=f"a colour or grey image: {', '.join(ENCODINGS)}",
            got=f"`{name.strip()}`, which holds depth or other raw values",
            remedy="Choose the topic of the colour camera. A world model sees no depth.",
        )


def to_rgb(pixels: NDArray[np.uint8], name: str) -> NDArray[np.uint8]:
    """Convert the upper 8 bits of samples, uint8 [rows, columns, samples], to RGB, uint8 [H, W, 3].

    Raises:
        BadImage: the encoding does not allow this size, for example 4:2:2 colour of an odd width.
    """
    code = ENCODINGS[name].to_rgb
    if code is None:
        return pixels
    try:
        return np.asarray(cv2.cvtColor(np.ascontiguousarray(pixels), code), dtype=np.uint8)
    except cv2.error as error:
        raise BadImage(
            f"{name} image of {pixels.shape[1]}x{pixels.shape[0]}",
            expected="a size this encoding allows",
            got=str(error.err),
            remedy="Crop the image, or choose another encoding.",
        ) from None


def upper_bytes(samples: NDArray) -> NDArray[np.uint8]:
    """The upper 8 bits of samples of 8 or 16 bits."""
    return samples if samples.dtype == np.uint8 else (samples >> 8).astype(np.uint8)
