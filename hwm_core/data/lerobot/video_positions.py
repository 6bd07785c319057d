"""Where the episodes of a v3.0 dataset must start in their video files: one after the other, without holes."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from hwm_core.data.lerobot.metadata import source_number, whole_number
from hwm_core.errors import BadBag

# LeRobot finds the image of a row by its timestamp, with this tolerance.
TOLERANCE_S = 1e-4


class VideoPositions:
    """The number of frames before each episode in its video files, from the lengths of the episodes before it.

    Args:
        rows: of meta/episodes; damaged ones too, because their frames are in the files.
    """

    def __init__(self, rows: Iterable[Mapping[str, Any]]) -> None:
        self._before: dict[tuple[str, int, int], dict[int, int | None]] = {}
        claims: dict[tuple[str, int, int], list[tuple[float, int, int | None]]] = {}
        seen: set[int] = set()
        for row in rows:
            try:
                number = source_number(row)
            except (KeyError, TypeError, ValueError):
                number = -1 - len(seen)  # an episode that cannot be read still has frames in the files
            if number in seen:
                continue
            seen.add(number)
            try:
                length: int | None = whole_number(row, "length")
            except (KeyError, TypeError, ValueError):
                length = None
            for key, place, start_s in _starts(row):
                claims.setdefault((key, *place), []).append((start_s, number, length))
        for file, claimed in claims.items():
            before: int | None = 0
            for _, number, length in sorted(claimed, key=lambda one: one[0]):
                self._before.setdefault(file, {})[number] = before
                before = None if before is None or length is None else before + length

    def check(self, file: tuple[str, int, int], number: int, start_s: float, fps: float, path: object) -> None:
        """Check where an episode starts.

        Args:
            file: video key, chunk and file.
            number: of the episode.
            start_s: its `from_timestamp`.
            fps: frame rate.
            path: of the dataset, for errors.

        Raises:
            BadBag: the start is between two frames, or inside or behind the end of the episode before.
        """
        frame = start_s * fps
        before = self._before.get(file, {}).get(number)
        if abs(frame - round(frame)) > TOLERANCE_S * fps:
            got = f"{start_s:.4f} s, which is frame {frame:.2f} at {fps:g} Hz"
        elif before is not None and round(frame) != before:
            where = "inside the episode before" if frame < before else "after a hole"
            got = f"frame {round(frame)} ({start_s:.4f} s), {where}, which ends before frame {before}"
        else:
            return
        raise BadBag(
            f"Episode {number} of {path}: `videos/{file[0]}/from_timestamp`",
            expected=f"the start of a frame within {TOLERANCE_S:g} s, where the episode before ends",
            got=got,
            remedy="Its frames would be those of a neighbour. Correct meta/episodes, or convert the dataset again.",
        )


def video_keys(row: Mapping[str, Any]) -> list[str]:
    """The video keys that a row of meta/episodes has columns for."""
    start, end = "videos/", "/chunk_index"
    return [key[len(start) : -len(end)] for key in row if key.startswith(start) and key.endswith(end)]


def _starts(row: Mapping[str, Any]) -> Iterator[tuple[str, tuple[int, int], float]]:
    """Video key, chunk and file, and `from_timestamp` of each readable span of a row."""
    for key in video_keys(row):
        prefix = f"videos/{key}"
        try:
            place = whole_number(row, f"{prefix}/chunk_index"), whole_number(row, f"{prefix}/file_index")
            yield key, place, float(row[f"{prefix}/from_timestamp"])
        except (KeyError, TypeError, ValueError):
            continue  # the reader of this row reports it
