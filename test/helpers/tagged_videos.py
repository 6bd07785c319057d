"""Videos that say how their picture is meant: colour matrix, range, orientation, pixel aspect."""

import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

# Weights of red and blue in the luma, by the number of the matrix (ISO/IEC 23091-2); 2: unspecified, read as BT.601.
LUMA = {1: (0.2126, 0.0722), 2: (0.299, 0.114), 5: (0.299, 0.114), 6: (0.299, 0.114), 9: (0.2627, 0.0593)}
LIMITED, FULL = 1, 2


def yuv_planes(rgb: NDArray[np.uint8], matrix: int, colour_range: int) -> NDArray[np.uint8]:
    """The planes of yuv420p, [1.5 H, W], by the definition of the matrix; chroma of each second pixel."""
    red, blue = LUMA[matrix]
    r, g, b = np.moveaxis(rgb / 255.0, 2, 0)
    luma = red * r + (1 - red - blue) * g + blue * b
    u, v = (b - luma) / (2 * (1 - blue)), (r - luma) / (2 * (1 - red))
    planes = [luma, u[::2, ::2], v[::2, ::2]]
    low, scales = (0, (255, 255, 255)) if colour_range == FULL else (16, (219, 224, 224))
    offsets = (low, 128, 128)
    scaled = [np.round(o + s * plane) for plane, s, o in zip(planes, scales, offsets, strict=True)]
    width = luma.shape[1]
    return np.concatenate([one.reshape(-1, width) for one in scaled]).clip(0, 255).astype(np.uint8)


def write_tagged_video(
    path: Path,
    images: list[NDArray[np.uint8]],
    matrix: int = 2,
    colour_range: int = LIMITED,
    curve: int = 2,
    pixel_aspect: Fraction | None = None,
) -> Path:
    """An H.264 file at 30 Hz whose tags are true."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30)
        stream.height, stream.width = images[0].shape[:2]
        stream.pix_fmt, stream.options = "yuv420p", {"crf": "1", "g": "2"}
        context = stream.codec_context
        context.colorspace, context.color_range, context.color_trc = matrix, colour_range, curve
        if pixel_aspect:
            context.sample_aspect_ratio = pixel_aspect
        for image in images:
            frame = av.VideoFrame.from_ndarray(yuv_planes(image, matrix, colour_range), format="yuv420p")
            frame.colorspace, frame.color_range = matrix, colour_range
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def set_display_matrix(path: Path, a: float, b: float, c: float, d: float) -> Path:
    """Write the matrix of the track into an mp4 file: pixel (x, y) is shown at (a x + c y, b x + d y)."""
    contents = bytearray(path.read_bytes())
    place = contents.index(b"tkhd") + 44  # after version, times, number, duration, layer and volume
    one = 1 << 16
    values = (int(a * one), int(b * one), 0, int(c * one), int(d * one), 0, 0, 0, 1 << 30)
    contents[place : place + 36] = struct.pack(">9i", *values)
    path.write_bytes(contents)
    return path
