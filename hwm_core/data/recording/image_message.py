"""ROS image messages to RGB and back, without ROS: any object with the fields of Image or CompressedImage."""

from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from hwm_core.errors import BadImage


@dataclass(frozen=True)
class _Layout:
    """One raw encoding: bytes per sample, samples per pixel, and OpenCV's conversion to RGB (None: it is RGB)."""

    sample_bytes: int
    samples: int
    to_rgb: int | None


# Names of sensor_msgs/image_encodings.hpp. OpenCV names a Bayer pattern by its second row, ROS by its first.
_LAYOUTS = {
    "rgb8": _Layout(1, 3, None),
    "bgr8": _Layout(1, 3, cv2.COLOR_BGR2RGB),
    "rgba8": _Layout(1, 4, cv2.COLOR_RGBA2RGB),
    "bgra8": _Layout(1, 4, cv2.COLOR_BGRA2RGB),
    "mono8": _Layout(1, 1, cv2.COLOR_GRAY2RGB),
    "mono16": _Layout(2, 1, cv2.COLOR_GRAY2RGB),
    "yuv422": _Layout(1, 2, cv2.COLOR_YUV2RGB_UYVY),
    "uyvy": _Layout(1, 2, cv2.COLOR_YUV2RGB_UYVY),
    "yuv422_yuy2": _Layout(1, 2, cv2.COLOR_YUV2RGB_YUY2),
    "yuyv": _Layout(1, 2, cv2.COLOR_YUV2RGB_YUY2),
    "bayer_rggb8": _Layout(1, 1, cv2.COLOR_BayerBG2RGB),
    "bayer_bggr8": _Layout(1, 1, cv2.COLOR_BayerRG2RGB),
    "bayer_gbrg8": _Layout(1, 1, cv2.COLOR_BayerGR2RGB),
    "bayer_grbg8": _Layout(1, 1, cv2.COLOR_BayerGB2RGB),
}

# A file that starts like one of these must end like it: older OpenCV fills a cut picture with grey, without a word.
_FILE_ENDS = {b"\xff\xd8": b"\xff\xd9", b"\x89PNG": b"IEND\xaeB`\x82"}


def decode_image(message: Any) -> NDArray[np.uint8]:
    """RGB picture of a sensor_msgs Image or CompressedImage (of rclpy, rosbags or alike), uint8 [H, W, 3].

    Honours `step` (padded rows) and `is_bigendian`; mono16 keeps its upper 8 bits. Perhaps a view of the message.

    Raises:
        BadImage: unknown encoding, or bytes that do not fit the header.
    """
    data = np.frombuffer(message.data, dtype=np.uint8)
    return _decode_raw(message, data) if hasattr(message, "encoding") else _decode_file(message.format, data)


def encode_image(rgb: NDArray[np.uint8], form: Literal["jpeg", "png"], quality: int = 90) -> bytes:
    """A picture uint8 [H, W, 3] RGB as a file, for the `data` of a CompressedImage. `quality` (1..100) is for jpeg."""
    options = [cv2.IMWRITE_JPEG_QUALITY, quality] if form == "jpeg" else []
    done, data = cv2.imencode(f".{form}", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), options)
    if not done:
        raise BadImage(
            "Picture",
            expected=f"something {form} can hold",
            got=f"uint8 {list(rgb.shape)}",
            remedy="Use another format.",
        )
    return data.tobytes()


def _decode_raw(message: Any, data: NDArray[np.uint8]) -> NDArray[np.uint8]:
    layout = _LAYOUTS.get(message.encoding)
    if layout is None:
        raise BadImage(
            "Image encoding",
            expected=f"one of {', '.join(_LAYOUTS)}, or a compressed image",
            got=f"`{message.encoding}`",
            remedy="Set the camera driver to one of these.",
        )
    height, width, step = message.height, message.width, message.step
    row = width * layout.samples * layout.sample_bytes
    # The last row needs no padding: some drivers leave it out.
    if height < 1 or width < 1 or step < row or len(data) < step * (height - 1) + row:
        raise BadImage(
            f"{message.encoding} image of {width}x{height}",
            expected=f"step >= {row} and {max(step, row)} bytes for each of {height} rows",
            got=f"step {step} and {len(data)} bytes",
            remedy="The message was cut or its header is wrong; check the camera driver.",
        )
    rows = np.lib.stride_tricks.as_strided(data, (height, row), (step, 1), writeable=False)
    if layout.sample_bytes == 2:
        rows = rows[:, 0 if message.is_bigendian else 1 :: 2]
    pixels = rows.reshape(height, width, layout.samples)
    if layout.to_rgb is None:
        return pixels
    try:
        return np.asarray(cv2.cvtColor(np.ascontiguousarray(pixels), layout.to_rgb), dtype=np.uint8)
    except cv2.error as error:  # for one, 4:2:2 colour of an odd width
        raise BadImage(
            f"{message.encoding} image of {width}x{height}",
            expected="a size this encoding allows",
            got=str(error.err),
            remedy="Crop it.",
        ) from None


def _decode_file(form: str, data: NDArray[np.uint8]) -> NDArray[np.uint8]:
    contents = data.tobytes()
    end = next((end for start, end in _FILE_ENDS.items() if contents.startswith(start)), b"")
    # Some cameras pad the file with zeros; what follows the end marker is no matter of ours.
    if contents.rfind(end) >= 0 and len(contents) > 0:
        try:
            picture = cv2.imdecode(data, cv2.IMREAD_COLOR)
        except cv2.error:
            picture = None
        if picture is not None:
            return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), dtype=np.uint8)
    raise BadImage(
        f"Compressed image of format `{form}`",
        expected="a whole jpeg or png file",
        got=f"{len(contents)} bytes that do not decode",
        remedy="The message was cut, or is neither (compressedDepth, video packets); record jpeg or png.",
    )
