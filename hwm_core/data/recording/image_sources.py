"""Tells cameras that publish on one topic apart."""

from hwm_core.data.recording.events import CameraFrame

_MOST_TURNS = 2  # a camera that was started again in another mode changes once or twice


class ImageSources:
    """Counts how often the images change between cameras: another frame_id, or another size."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, int, int], None] = {}
        self._latest: tuple[str, int, int] | None = None
        self._turns = 0

    def add(self, image: CameraFrame) -> None:
        """Add an image in order of arrival."""
        height, width = image.rgb.shape[:2]
        source = (image.camera, width, height)
        self._seen[source] = None
        self._turns += self._latest not in (None, source)
        self._latest = source

    def faults(self) -> list[str]:
        """A sentence where several cameras take turns; else nothing."""
        if self._turns <= _MOST_TURNS:
            return []
        cameras = ", ".join(f"{name or 'no frame_id'} {width}x{height}" for name, width, height in self._seen)
        return [
            f"the images change {self._turns} times between {len(self._seen)} cameras ({cameras}), so they are a "
            "mixture: give each camera its own topic, and record again"
        ]
