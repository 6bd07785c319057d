"""What every reader gives: one recorded run, as events, and from them as an episode."""

import re
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from hwm_core.data.recording.assembly import Assembly, ReadReport
from hwm_core.data.recording.clock import rounded_rate_hz
from hwm_core.data.recording.events import CameraFrame, Cut, Event
from hwm_core.data.recording.labels import Labels
from hwm_core.data.recording.preprocessing import Preprocessing
from hwm_core.errors import BadBag, BadInput
from hwm_core.types import Episode


class Recording(ABC):
    """One recorded run of any format."""

    @property
    @abstractmethod
    def name(self) -> str: ...

    @property
    def number(self) -> int | None:
        """The number its name ends with."""
        return number_in(self.name)

    @abstractmethod
    def events(self) -> Iterator[Event | Cut]:
        """All that was recorded, in order of arrival. Raises BadInput."""

    def extras(self) -> tuple[str, ...]:
        """What the recording holds that its events do not carry, for those who convert it."""
        return ()

    def labels(self) -> Labels:
        """Its names for what its events carry. Raises BadInput."""
        return Labels()

    def read(
        self,
        preprocessing: Preprocessing,
        names: Sequence[str] | None = None,
        aliases: Mapping[str, str] | None = None,
    ) -> tuple[Episode, ReadReport]:
        """Decode the recording into one episode.

        Args:
            preprocessing: applied to every image.
            names: joints wanted, in this order; None takes the joints of the first state, else of the first command.
            aliases: {name a message may use: name wanted}, from an action manifest.

        Returns:
            The episode, and a report of the messages and frames that are not in it.

        Raises:
            BadInput: the recording is damaged, or one channel has no usable message; the first fault found.
        """
        return Assembly(self.name, preprocessing, names, aliases).feed(self.events()).finish()

    def pictures(self) -> Iterator[CameraFrame]:
        """Its good pictures, in order of arrival; bad ones are left out. Raises BadInput."""
        for event in self.events():
            if isinstance(event, Event) and event.channel == "images":
                try:
                    content = event.load()
                except BadInput:
                    continue
                assert isinstance(content, CameraFrame)
                yield content

    def camera_rate_hz(self, pictures: int = 60) -> float:
        """The camera's rate: from the median interval between its first pictures; rounded where a whole number is
        within 2 %. Raises BadInput.
        """
        stamps = [picture.stamp_ns for picture in islice(self.pictures(), pictures)]
        if len(stamps) < 2 or (interval := float(np.median(np.diff(stamps)))) <= 0:
            raise BadBag(
                f"Recording {self.name}",
                expected="two or more pictures whose stamps advance",
                got=f"{len(stamps)} pictures",
                remedy="Name the rate.",
            )
        return rounded_rate_hz(interval)

    def first_image(self) -> NDArray[np.uint8]:
        """Its first good picture as recorded, uint8 [H, W, 3]. Raises BadInput."""
        fault: BadInput | None = None
        for event in self.events():
            if isinstance(event, Event) and event.channel == "images":
                try:
                    content = event.load()
                except BadInput as error:
                    fault = fault or error
                else:
                    assert isinstance(content, CameraFrame)
                    return content.rgb
        raise fault or BadBag(f"Recording {self.name}", expected="pictures", got="none", remedy="Check the camera.")


def require_unique_names(recordings: Iterable[Recording]) -> None:
    """What is made of recordings goes by their names: of two that share one, one would be lost. Raises BadBag."""
    counts = Counter(recording.name for recording in recordings)
    if repeated := [name for name, count in counts.items() if count > 1]:
        raise BadBag(
            "Recordings",
            expected="each to be named once, for training or for validation",
            got=f"{len(repeated)} named twice, the first `{repeated[0]}`",
            remedy="Keep validation out of the folders to train on; rename recordings that only share a name.",
        )


def number_in(name: str) -> int | None:
    """The number that a name ends with."""
    digits = re.search(r"\d+$", name)
    return int(digits[0]) if digits else None
