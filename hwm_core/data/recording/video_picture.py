"""Turns decoded video frames into the pictures that a player shows: colours, orientation and pixel aspect.

Nothing is left to the defaults of PyAV, which differ between its versions.
"""

import struct
from typing import Any

import cv2
import numpy as np
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from hwm_core.data.recording.image_memory import keep_image_memory
from hwm_core.errors import BadBag

# ISO/IEC 23091-2, matrix coefficients: the number in the stream, and FFmpeg's number of the conversion. Unspecified
# (2, 3) is read as BT.601, with which FFmpeg and LeRobot encode RGB; 0 is RGB itself.
_MATRICES = {0: 5, 1: 1, 2: 5, 3: 5, 4: 4, 5: 5, 6: 5, 7: 7, 9: 9}
_BT601, _LIMITED, _FULL = 5, 1, 2
_HDR = {16: "PQ (SMPTE 2084)", 18: "HLG (ARIB STD-B67)"}
_MOST_STRETCHED = 8  # anamorphic video has pixels of up to 2:1
_ONE = 1 << 16  # of the display matrix, whose numbers are 16.16 fixed point


class PictureConverter:
    """Converts the frames of one stream. It keeps the converter of FFmpeg, whose set-up is a tenth of the work.

    Args:
        stream: the stream, for its transfer curve and pixel aspect.
        path: of the file, for errors.
    """

    def __init__(self, stream: Any, path: object) -> None:
        self._stream, self._path = stream, path
        self._reformatter = VideoReformatter()
        keep_image_memory()

    def rgb(self, frame: Any) -> NDArray[np.uint8]:
        """The picture of a decoded frame as a player shows it, uint8 [H, W, 3].

        Raises:
            BadBag: grey of more than 8 bits (depth), HDR, a colour matrix that is not converted, or a display matrix
                that is neither a quarter turn nor a flip.
        """
        _reject_values(frame, self._stream, self._path)
        kind, how = frame.format, {}
        if not (kind.is_rgb or kind.has_palette):
            full = frame.color_range == _FULL or kind.name.startswith("yuvj")
            how = {
                "src_colorspace": _MATRICES[int(frame.colorspace)],
                "dst_colorspace": _BT601,  # of RGB, so without an effect; but PyAV requires a known one
                "src_color_range": _FULL if full else _LIMITED,
                "dst_color_range": _FULL,
            }
        rgb = _array(self._reformatter.reformat(frame, format="rgb24", **how))
        return _upright(_square_pixels(rgb, self._stream, self._path), display_matrix(frame), self._path)


def _array(frame: Any) -> NDArray[np.uint8]:
    """The pixels of an rgb24 frame, without a copy where its rows are not padded."""
    plane = frame.planes[0]
    rows = np.frombuffer(plane, dtype=np.uint8).reshape(frame.height, plane.line_size)
    return np.ascontiguousarray(rows[:, : 3 * frame.width]).reshape(frame.height, frame.width, 3)


def display_matrix(frame: Any) -> bytes:
    """The display matrix of a frame; empty for a frame that is shown as it is stored."""
    for number in range(len(frame.side_data)):
        data = frame.side_data[number]
        if data.type.name == "DISPLAYMATRIX":
            return bytes(data)
    return b""


def pixel_aspect(stream: Any) -> float:
    """Width / height of one pixel; 1 where the file does not state it."""
    return float(stream.sample_aspect_ratio or 1)


def _upright(rgb: NDArray[np.uint8], matrix: bytes, path: object) -> NDArray[np.uint8]:
    """Turn and flip by a display matrix: the pixel (x, y) is shown at (a x + c y, b x + d y)."""
    if not matrix:
        return rgb
    a, b, u, c, d, v, *_ = struct.unpack("<9i", matrix)
    a, b, c, d = (round(value / _ONE, 3) for value in (a, b, c, d))
    turned = a == d == 0
    across, down = (c, b) if turned else (a, d)
    if u or v or not across or not down or abs(across) != abs(down) or (not turned and (b or c)):
        raise BadBag(
            f"Video {path}",
            expected="a picture that is shown upright, turned by quarters or flipped",
            got=f"the display matrix {a:g} {b:g} {c:g} {d:g}",
            remedy="Encode it again as it is shown, for example with `ffmpeg -i IN OUT`.",
        )
    if turned:
        rgb = rgb.transpose(1, 0, 2)
    return np.ascontiguousarray(rgb[:: 1 if down > 0 else -1, :: 1 if across > 0 else -1])


def _square_pixels(rgb: NDArray[np.uint8], stream: Any, path: object) -> NDArray[np.uint8]:
    """Stretch the width of a video whose pixels are not square."""
    aspect = pixel_aspect(stream)
    if not 1 / _MOST_STRETCHED <= aspect <= _MOST_STRETCHED:
        raise BadBag(
            f"Video {path}",
            expected=f"pixels of width / height from 1/{_MOST_STRETCHED} to {_MOST_STRETCHED}",
            got=f"{aspect:.4g}",
            remedy="The header of the file is damaged: download it again, or encode it again.",
        )
    width = max(1, round(rgb.shape[1] * aspect))
    if width == rgb.shape[1]:
        return rgb
    how = cv2.INTER_AREA if width < rgb.shape[1] else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(rgb, (width, rgb.shape[0]), interpolation=how), dtype=np.uint8)


def _reject_values(frame: Any, stream: Any, path: object) -> None:
    name, curve = frame.format.name, int(stream.codec_context.color_trc or 0)
    expected = "colours or 8-bit grey of standard range"
    if name.startswith("gray") and name != "gray":
        got = f"grey of {name}, which may be depth"
        remedy = "Choose the colour camera, or encode grey pictures with 8 bits."
    elif curve in _HDR:
        got = f"HDR with the curve {_HDR[curve]}"
        remedy = "Convert it to SDR, for example with ffmpeg's filters `zscale` and `tonemap`."
    elif int(frame.colorspace) not in _MATRICES:
        got = f"the colour matrix {int(frame.colorspace)}"
        remedy = "Encode it again with BT.709, for example with `ffmpeg -i IN -vf scale=out_color_matrix=bt709 OUT`."
    elif frame.interlaced_frame:
        expected, got = "whole pictures", "interlaced ones, whose lines are of two times"
        remedy = "Deinterlace it, for example with `ffmpeg -i IN -vf yadif OUT`."
    else:
        return
    raise BadBag(f"Video {path}", expected=expected, got=got, remedy=remedy)
