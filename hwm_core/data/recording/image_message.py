"""Converts ROS image messages to RGB arrays and back, without ROS.

A message is any object with the fields of sensor_msgs Image or CompressedImage.
"""

from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from hwm_core.errors import BadImage


@dataclass(frozen=True)
class _Encoding:
    """A raw pixel encoding."""

    sample_bytes: int
    samples: int  # per pixel
    to_rgb: int | None  # OpenCV's conversion code; None for RGB


# Names from sensor_msgs/image_encodings.hpp. OpenCV names a Bayer pattern by its second row, ROS by its first.
_ENCODINGS = {
    "rgb8": _Encoding(1, 3, None),
    "bgr8": _Encoding(1, 3, cv2.COLOR_BGR2RGB),
    "rgba8": _Encoding(1, 4, cv2.COLOR_RGBA2RGB),
    "bgra8": _Encoding(1, 4, cv2.COLOR_BGRA2RGB),
    "mono8": _Encoding(1, 1, cv2.COLOR_GRAY2RGB),
    "mono16": _Encoding(2, 1, cv2.COLOR_GRAY2RGB),
    "yuv422": _Encoding(1, 2, cv2.COLOR_YUV2RGB_UYVY),
    "uyvy": _Encoding(1, 2, cv2.COLOR_YUV2RGB_UYVY),
    "yuv422_yuy2": _Encoding(1, 2, cv2.COLOR_YUV2RGB_YUY2),
    "yuyv": _Encoding(1, 2, cv2.COLOR_YUV2RGB_YUY2),
    "bayer_rggb8": _Encoding(1, 1, cv2.COLOR_BayerBG2RGB),
    "bayer_bggr8": _Encoding(1, 1, cv2.COLOR_BayerRG2RGB),
    "bayer_gbrg8": _Encoding(1, 1, cv2.COLOR_BayerGR2RGB),
    "bayer_grbg8": _Encoding(1, 1, cv2.COLOR_BayerGB2RGB),
}

# {first bytes: last bytes} of JPEG and PNG files. Older OpenCV fills a truncated image with grey without an error.
_FILE_ENDS = {b"\xff\xd8": b"\xff\xd9", b"\x89PNG": b"IEND\xaeB`\x82"}


def decode_image(message: Any) -> NDArray[np.uint8]:
    """Decode a sensor_msgs Image or CompressedImage (of rclpy or rosbags) to RGB, uint8 [H, W, 3].

    Uses `step` (padded rows) and `is_bigendian`. mono16 keeps its upper 8 bits. The result may view
    the message.

    Raises:
        BadImage: the encoding is unknown, or the bytes do not fit the header.
    """
    data = np.frombuffer(message.data, dtype=np.uint8)
    return _decode_raw(message, data) if hasattr(message, "encoding") else _decode_file(message.format, data)


def encode_image(rgb: NDArray[np.uint8], form: Literal["jpeg", "png"], quality: int = 90) -> bytes:
    """Encode an RGB image, uint8 [H, W, 3], for the `data` of a CompressedImage. `quality` (1..100) applies to jpeg."""
    options = [cv2.IMWRITE_JPEG_QUALITY, quality] if form == "jpeg" else []
    done, data = cv2.imencode(f".{form}", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), options)
    if not done:
        raise BadImage(
            "Image",
            expected=f"an image that {form} can store",
            got=f"uint8 {list(rgb.shape)}",
            remedy="Use another format.",
        )
    return data.tobytes()


def _decode_raw(message: Any, data: NDArray[np.uint8]) -> NDArray[np.uint8]:
    encoding = _ENCODINGS.get(message.encoding)
    if encoding is None:
        raise BadImage(
            "Image encoding",
            expected=f"{', '.join(_ENCODINGS)}, or a compressed image",
            got=f"`{message.encoding}`",
            remedy="Set the camera driver to one of these.",
        )
    height, width, step = message.height, message.width, message.step
    row = width * encoding.samples * encoding.sample_bytes
    # Some drivers omit the padding of the last row.
    if height < 1 or width < 1 or step < row or len(data) < step * (height - 1) + row:
        raise BadImage(
            f"{message.encoding} image of {width}x{height}",
            expected=f"step >= {row} and {max(step, row)} bytes for each of {height} rows",
            got=f"step {step} and {len(data)} bytes",
            remedy="The message was truncated, or its header is wrong: check the camera driver.",
        )
    rows = np.lib.stride_tricks.as_strided(data, (height, row), (step, 1), writeable=False)
    if encoding.sample_bytes == 2:
        rows = rows[:, 0 if message.is_bigendian else 1 :: 2]
    pixels = rows.reshape(height, width, encoding.samples)
    if encoding.to_rgb is None:
        return pixels
    try:
        return np.asarray(cv2.cvtColor(np.ascontiguousarray(pixels), encoding.to_rgb), dtype=np.uint8)
    except cv2.error as error:  # for example 4:2:2 colour of an odd width
        raise BadImage(
            f"{message.encoding} image of {width}x{height}",
            expected="a size this encoding allows",
            got=str(error.err),
            remedy="Crop the image, or choose another encoding.",
        ) from None


def _decode_file(form: str, data: NDArray[np.uint8]) -> NDArray[np.uint8]:
    contents = data.tobytes()
    end = next((end for start, end in _FILE_ENDS.items() if contents.startswith(start)), b"")
    # Some cameras pad the file with zeros after the end marker.
    if contents.rfind(end) >= 0 and len(contents) > 0:
        try:
            image = cv2.imdecode(data, cv2.IMREAD_COLOR)
        except cv2.error:
            image = None
        if image is not None:
            return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), dtype=np.uint8)
    raise BadImage(
        f"Compressed image of format `{form}`",
        expected="a whole jpeg or png file",
        got=f"{len(contents)} bytes that do not decode",
        remedy="The message was truncated, or has another format (compressedDepth, video packets): record jpeg or png.",
    )
