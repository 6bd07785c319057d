"""Converts ROS image messages to RGB arrays and back, without ROS.

A message is any object with the fields of sensor_msgs Image or CompressedImage.
"""

from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from hwm_core.data.recording.compressed_format import colours_of
from hwm_core.data.recording.image_memory import keep_image_memory
from hwm_core.data.recording.pixel_encodings import find_encoding, to_rgb, upper_bytes
from hwm_core.errors import BadImage

# {first bytes: last bytes} of JPEG and PNG files. Older OpenCV fills a truncated image with grey without an error.
_JPEG = b"\xff\xd8"
_PNG = b"\x89PNG"
_FILE_ENDS = {_JPEG: b"\xff\xd9", _PNG: b"IEND\xaeB`\x82"}


def decode_image(message: Any) -> NDArray[np.uint8]:
    """Decode a sensor_msgs Image or CompressedImage (of rclpy or rosbags) to RGB, uint8 [H, W, 3].

    Uses `step` (padded rows), `is_bigendian`, and what `format` states about a compressed image. Samples of 16 bits
    keep their upper 8 bits. The result may view the message.

    Raises:
        BadImage: the encoding is unknown or depth, or the bytes do not fit the header.
    """
    keep_image_memory()
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
    encoding = find_encoding(message.encoding)
    height, width, step = message.height, message.width, message.step
    row, rows = width * encoding.samples * encoding.sample_bytes, int(height * encoding.rows)
    # Some drivers omit the padding of the last row.
    if height < 1 or width < 1 or step < row or len(data) < step * (rows - 1) + row:
        raise BadImage(
            f"{message.encoding} image of {width}x{height}",
            expected=f"step >= {row} and {max(step, row)} bytes for each of {rows} rows",
            got=f"step {step} and {len(data)} bytes",
            remedy="The message was truncated, or its header is wrong: check the camera driver.",
        )
    samples = np.lib.stride_tricks.as_strided(data, (rows, row), (step, 1), writeable=False)
    if encoding.sample_bytes == 2:
        samples = samples[:, 0 if message.is_bigendian else 1 :: 2]
    return to_rgb(samples.reshape(rows, width, encoding.samples), message.encoding)


def _decode_file(form: str, data: NDArray[np.uint8]) -> NDArray[np.uint8]:
    colours = colours_of(form)
    contents = data.tobytes()
    end = next((end for start, end in _FILE_ENDS.items() if contents.startswith(start)), b"")
    # Some cameras pad the file with zeros after the end marker.
    if contents.rfind(end) >= 0 and len(contents) > 0:
        if colours not in ("shown", "swapped", "undeclared"):
            return _mosaic(form, _decoded(data, cv2.IMREAD_UNCHANGED), colours)
        if colours == "undeclared" and _may_be_wide(contents):
            _reject_wide_grey(form, _decoded(data, cv2.IMREAD_UNCHANGED))
        # Applies the orientation in the file, as viewers do.
        image = _decoded(data, cv2.IMREAD_COLOR)
        if image is not None:
            return image if colours == "swapped" else np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), dtype=np.uint8)
    raise BadImage(
        f"Compressed image of format `{form}`",
        expected="a whole jpeg or png file",
        got=f"{len(contents)} bytes that do not decode",
        remedy="The message was truncated, or has another format (compressedDepth, video packets): record jpeg or png.",
    )


def _decoded(data: NDArray[np.uint8], how: int) -> NDArray | None:
    try:
        return cv2.imdecode(data, how)
    except cv2.error:
        return None


def _mosaic(form: str, image: NDArray | None, encoding: str) -> NDArray[np.uint8]:
    """The colours behind the Bayer filter of a file that holds the samples of the sensor."""
    if image is None or image.ndim != 2 or image.dtype not in (np.uint8, np.uint16):
        raise BadImage(
            f"Compressed image of format `{form}`",
            expected="one sample for each pixel, behind a Bayer filter",
            got="bytes that do not decode" if image is None else f"{image.dtype} {list(image.shape)}",
            remedy="State the encoding that was compressed, for example `bayer_rggb8; jpeg compressed bgr8`.",
        )
    return to_rgb(upper_bytes(image)[..., None], encoding)


def _may_be_wide(contents: bytes) -> bool:
    """Whether a file may have samples of more than 8 bits."""
    if contents.startswith(_PNG):
        return contents[24:25] == b"\x10"  # the depth in the header of png
    return not contents.startswith(_JPEG)


def _reject_wide_grey(form: str, image: NDArray | None) -> None:
    """Grey of more than 8 bits is depth as often as brightness, so the message has to state which."""
    if image is not None and image.ndim == 2 and image.dtype != np.uint8:
        raise BadImage(
            f"Compressed image of format `{form}`",
            expected="a colour image, or a statement that grey is brightness: `mono16; png compressed `",
            got=f"grey of type {image.dtype}, which may be depth",
            remedy="Choose the topic of the colour camera, or let the publisher state the encoding.",
        )
