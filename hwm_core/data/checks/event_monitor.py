"""Measures events while a reader reads them, so that a recording is read only once."""

from collections.abc import Iterator
from functools import partial

import cv2
import numpy as np
from numpy.typing import NDArray

from hwm_core.data.recording.events import AnyEvent, CameraFrame, Event, JointValues

_THUMBNAIL = 96  # height in pixels
# Black in video is not quite 0, and the edges of bars are not sharp.
_BLACK, _LEAST_BAR = 16, 0.03


class EventMonitor:
    """Collects stamps, repeated images and thumbnails of the events that pass through `watch`.

    Args:
        thumbnails: least number of thumbnails to keep of a long recording, evenly spaced; at most twice as many.
    """

    def __init__(self, thumbnails: int) -> None:
        self.stamps_ns: dict[str, list[int]] = {"images": []}  # by channel
        self.image_size = (0, 0)  # height, width of the first image
        self.repeats = 0  # images equal to the previous image
        self.longest_repeat = 0  # repeats in a row
        self.thumbnails: list[NDArray[np.uint8]] = []
        self.thumbnail_s: list[float] = []
        self._most, self._stride, self._run = thumbnails, 1, 0
        self._newest: NDArray[np.uint8] | None = None

    def watch(self, events: Iterator[AnyEvent]) -> Iterator[AnyEvent]:
        """Yield the same events; each is measured when it is loaded."""
        for event in events:
            yield Event(event.channel, partial(self._load, event)) if isinstance(event, Event) else event

    def bars(self) -> tuple[float, float, float, float]:
        """Black bars of all images (a letterbox): shares of height and width at the top, bottom, left and right."""
        lit = np.stack(self.thumbnails).max(axis=(0, 3)) > _BLACK
        if not lit.any():
            return (0.0, 0.0, 0.0, 0.0)
        rows, columns = np.flatnonzero(lit.any(axis=1)), np.flatnonzero(lit.any(axis=0))
        height, width = lit.shape
        below, right_of = height - 1 - rows[-1], width - 1 - columns[-1]
        shares = (rows[0] / height, below / height, columns[0] / width, right_of / width)
        top, bottom, left, right = (float(share) if share >= _LEAST_BAR else 0.0 for share in shares)
        return top, bottom, left, right

    def _load(self, event: Event) -> CameraFrame | JointValues:
        content = event.load()
        stamps = self.stamps_ns.setdefault(event.channel, [])
        stamps.append(content.stamp_ns)
        if isinstance(content, CameraFrame):
            self._add_image(content, len(stamps) - 1, (content.stamp_ns - stamps[0]) / 1e9)
        return content

    def _add_image(self, image: CameraFrame, index: int, seconds: float) -> None:
        height, width = image.rgb.shape[:2]
        if index == 0:
            self.image_size = (height, width)
        same = self._newest is not None and np.array_equal(self._newest, image.rgb)
        self._run = self._run + 1 if same else 0
        self.repeats, self.longest_repeat = self.repeats + same, max(self.longest_repeat, self._run)
        self._newest = image.rgb
        if index % self._stride == 0:
            # All of one size: the size of images may change in a recording.
            first = self.thumbnails[0].shape[:2] if self.thumbnails else None
            size = (first[1], first[0]) if first else (max(1, round(width * _THUMBNAIL / height)), _THUMBNAIL)
            small = cv2.resize(image.rgb, size, interpolation=cv2.INTER_AREA)
            self.thumbnails.append(np.asarray(small, dtype=np.uint8))
            self.thumbnail_s.append(seconds)
        if len(self.thumbnails) == 2 * self._most:  # the length is unknown: keep every second one and double the stride
            self.thumbnails, self.thumbnail_s = self.thumbnails[::2], self.thumbnail_s[::2]
            self._stride *= 2
