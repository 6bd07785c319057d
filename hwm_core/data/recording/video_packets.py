"""Cuts and joins video files without decoding, packet by packet."""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from hwm_core.data.recording.video_reader import VideoSpan, open_video, start_of
from hwm_core.errors import BadBag


def copy_packets(clips: Sequence[VideoSpan], lengths: Sequence[int], rate_hz: float, path: Path) -> None:
    """Join clips of equal `VideoFacts` without decoding: not one pixel changes.

    Args:
        lengths: frames of each clip; clip n starts sum(lengths[:n]) / rate_hz seconds after the start.

    Raises:
        BadBag: damaged, of another length or rate, or a clip that does not start at a key frame.
    """
    with av.open(str(path), "w") as out:
        target: Any = None
        written = 0
        for clip, length in zip(clips, lengths, strict=True):
            with open_video(clip.path) as (container, stream):
                if target is None:
                    target = out.add_stream_from_template(
                        stream, opaque=True
                    )  # AV1 has no encoder of its decoder's name
                    target.time_base = stream.time_base
                _copy(container, stream, clip, length, out, target, Fraction(written) / Fraction(rate_hz), rate_hz)
            written += length


def check_packets(clip: VideoSpan, length: int, rate_hz: float) -> None:
    """Look at every packet, without decoding. Raises BadBag where `copy_packets` would."""
    with open_video(clip.path) as (container, stream):
        for _ in _packets(container, stream, clip, length, rate_hz):
            pass


def _copy(
    container: Any, stream: Any, clip: VideoSpan, length: int, out: Any, target: Any, offset_s: Fraction, rate_hz: float
) -> None:
    first: Any = None
    for packet in _packets(container, stream, clip, length, rate_hz):
        if first is None:
            first = packet.pts
        scale = packet.time_base / target.time_base
        shift = offset_s / target.time_base
        packet.pts = round((packet.pts - first) * scale + shift)
        packet.dts = round(((packet.dts if packet.dts is not None else 0) - first) * scale + shift)
        packet.stream = target
        out.mux(packet)


def _packets(container: Any, stream: Any, clip: VideoSpan, length: int, rate_hz: float) -> Iterator[Any]:
    """Those of a clip; of one that is a whole file all there are. Raises as `copy_packets`, in part only at the end."""
    origin = start_of(stream) + clip.start_s
    half = 0.5 / rate_hz
    end = np.inf if clip.frames is None else origin + length / rate_hz - half
    if clip.start_s > 0:
        container.seek(int(origin / stream.time_base), stream=stream)
    times: list[float] = []
    for packet in container.demux(stream):
        if packet.pts is None or (time := float(packet.pts * packet.time_base)) < origin - half:
            continue
        if time > end:
            if packet.is_keyframe:
                break
            continue
        if not times and not packet.is_keyframe:
            raise BadBag(
                f"Video {clip.path}",
                expected=f"a key frame at {clip.start_s:.3f} s, where an episode starts",
                got="none",
                remedy="Convert with a codec named: that decodes and encodes again.",
            )
        if packet.is_corrupt:
            raise _cut(clip, f"{length} whole frames", f"a cut one at {time - origin:.3f} s")
        times.append(time)
        yield packet
    if len(times) != length:
        raise _cut(clip, f"{length} frames from {clip.start_s:.3f} s", f"{len(times)}")
    if np.abs(np.sort(times) - origin - np.arange(length) / rate_hz).max() > half:
        raise BadBag(
            f"Video {clip.path}",
            expected=f"{rate_hz:g} pictures a second, the `fps` of info.json",
            got=f"{(length - 1) / (max(times) - min(times)):.4g}",
            remedy="Correct `fps`; where the pauses differ, convert with a codec named: that makes them one.",
        )


def _cut(clip: VideoSpan, expected: str, got: str) -> BadBag:
    remedy = "The video or the table was cut: download it again; or `fps` in info.json is wrong."
    return BadBag(f"Video {clip.path}", expected=expected, got=got, remedy=remedy)
