"""Cuts and joins video files without decoding, packet by packet."""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from hwm_core.data.recording.video_reader import VideoSpan, open_video, start_of
from hwm_core.errors import BadBag


def copy_packets(spans: Sequence[VideoSpan], lengths: Sequence[int], rate_hz: float, path: Path) -> None:
    """Join spans of equal `VideoFacts` without decoding, so that no pixel changes.

    Args:
        spans: spans to join, in order.
        lengths: frames of each span; span n starts at sum(lengths[:n]) / rate_hz seconds.
        rate_hz: frames per second.
        path: file to write.

    Raises:
        BadBag: a file is damaged, has another length or rate, or a span does not start at a key frame.
    """
    with av.open(str(path), "w") as out:
        target: Any = None
        written = 0
        for span, length in zip(spans, lengths, strict=True):
            with open_video(span.path) as (container, stream):
                if target is None:  # opaque: PyAV finds no AV1 encoder by the name of the decoder
                    target = out.add_stream_from_template(stream, opaque=True)
                    target.time_base = stream.time_base
                _copy(container, stream, span, length, out, target, Fraction(written) / Fraction(rate_hz), rate_hz)
            written += length


def check_packets(span: VideoSpan, length: int, rate_hz: float) -> None:
    """Read every packet without decoding. Raises as `copy_packets`."""
    with open_video(span.path) as (container, stream):
        for _ in _packets(container, stream, span, length, rate_hz):
            pass


def _copy(
    container: Any, stream: Any, span: VideoSpan, length: int, out: Any, target: Any, offset_s: Fraction, rate_hz: float
) -> None:
    first: Any = None
    for packet in _packets(container, stream, span, length, rate_hz):
        if first is None:
            first = packet.pts
        scale = packet.time_base / target.time_base
        shift = offset_s / target.time_base
        packet.pts = round((packet.pts - first) * scale + shift)
        packet.dts = round(((packet.dts if packet.dts is not None else 0) - first) * scale + shift)
        packet.stream = target
        out.mux(packet)


def _packets(container: Any, stream: Any, span: VideoSpan, length: int, rate_hz: float) -> Iterator[Any]:
    """The packets of a span. Raises as `copy_packets`; a wrong length or rate is found only at the end."""
    origin = start_of(stream) + span.start_s
    half = 0.5 / rate_hz
    end = np.inf if span.frames is None else origin + length / rate_hz - half
    if span.start_s > 0:
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
                f"Video {span.path}",
                expected=f"a key frame at {span.start_s:.3f} s, the start of an episode",
                got="none",
                remedy="Convert with --codec, which decodes and encodes the video.",
            )
        if packet.is_corrupt:
            raise _truncated(span, f"{length} whole frames", f"a truncated frame at {time - origin:.3f} s")
        times.append(time)
        yield packet
    if len(times) != length:
        raise _truncated(span, f"{length} frames from {span.start_s:.3f} s", f"{len(times)}")
    if np.abs(np.sort(times) - origin - np.arange(length) / rate_hz).max() > half:
        seconds = max(times) - min(times)
        raise BadBag(
            f"Video {span.path}",
            expected=f"{rate_hz:g} frames per second, the `fps` of info.json",
            got=f"{(length - 1) / seconds:.4g}" if seconds else f"{length} frames at one time",
            remedy="Correct `fps`. If the intervals vary, convert with --codec, which makes them equal.",
        )


def _truncated(span: VideoSpan, expected: str, got: str) -> BadBag:
    remedy = "The video or the table was truncated: download both again; or correct `fps` in info.json."
    return BadBag(f"Video {span.path}", expected=expected, got=got, remedy=remedy)
