"""Messages of a recording that cannot be used, and which frames they cost."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hwm_core.data.recording.clock import MAX_GAP_PERIODS
from hwm_core.data.recording.events import Channel
from hwm_core.data.recording.joints import MAX_PAUSE_S
from hwm_core.errors import BadInput, BeforeKeyFrame

# Single images may be damaged; more than this share of them is a fault of the recording.
_MOST_BAD_IMAGES = 0.05


@dataclass
class UnusableMessages:
    """Collects the messages that raised BadInput, in order of arrival."""

    faults: dict[Channel, BadInput] = field(default_factory=dict)  # the first of each channel
    images: int = 0  # without packets before the first key frame, as at the start of most recordings of packets
    _arrivals: dict[Channel, list[int]] = field(default_factory=dict)  # numbers of frames before each message
    _image_fault: BadInput | None = None
    _in_a_row: int = 0
    _most_in_a_row: int = 0

    def add(self, channel: Channel, fault: BadInput, frames: int) -> None:
        """Add a message that arrived after this number of frames."""
        self.faults.setdefault(channel, fault)
        self._arrivals.setdefault(channel, []).append(frames)
        if channel == "images" and not isinstance(fault, BeforeKeyFrame):
            self._image_fault = self._image_fault or fault
            self.images += 1
            self._in_a_row += 1
            self._most_in_a_row = max(self._most_in_a_row, self._in_a_row)

    def usable_image(self) -> None:
        """An image that can be used arrived."""
        self._in_a_row = 0

    def replaced_commands(self, ages_ns: NDArray[np.int64], rate_hz: float) -> NDArray[np.bool_]:
        """Which of all F frames hold an old command because newer ones cannot be used, [F].

        Args:
            ages_ns: [F] of the command of each frame.
            rate_hz: frame rate.
        """
        arrivals = np.array(self._arrivals.get("commands", []), dtype=np.int64)
        frames = np.arange(len(ages_ns))
        first = frames - np.ceil(ages_ns * 1e-9 * rate_hz)
        between = np.searchsorted(arrivals, frames, side="right") - np.searchsorted(arrivals, first, side="right")
        return (ages_ns > MAX_PAUSE_S * 1e9) & (between > 0)

    def lost_frames(self, kept: NDArray[np.int64], frames: int, rate_hz: float) -> int:
        """How many of all `frames` are not among those `kept`, because joint messages cannot be used.

        At the ends, a few frames lack joint values in every recording, so only longer runs count there.
        """
        arrivals = [at for channel, some in self._arrivals.items() if channel != "images" for at in some]
        if not arrivals:
            return 0
        ends = [(0, int(kept[0])), (int(kept[-1]) + 1, frames)]
        lost = [
            stop - first
            for first, stop in ends
            if stop - first > MAX_PAUSE_S * rate_hz and any(first <= at <= stop for at in arrivals)
        ]
        return int(kept[-1] - kept[0]) + 1 - len(kept) + sum(lost)

    def image_faults(self, images: int) -> list[str]:
        """What is wrong with the images of a recording that has `images` of them, a sentence each."""
        many = self.images > max(MAX_GAP_PERIODS, _MOST_BAD_IMAGES * images)
        if not many and self._most_in_a_row <= MAX_GAP_PERIODS:
            return []
        return [
            f"{self.images} of {images} images cannot be used, up to {self._most_in_a_row} in a row: "
            f"{self._image_fault}"
        ]
