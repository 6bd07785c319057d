"""What recordings lose when they are written as a LeRobot dataset."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from hwm_core.data.recording.conversion import unusable_messages
from hwm_core.data.recording.video_encoder import Codec


@dataclass(frozen=True)
class RecordingLosses:
    """What one recording lost."""

    recording: str  # its name
    episodes: int  # written from it, one for each part without a gap
    several_tasks: bool  # LeRobot labels a frame with one task
    missing: tuple[str, ...]  # features of LeRobot that were not recorded
    not_carried: tuple[str, ...]  # topics, columns and cameras that are not converted
    renamed: tuple[str, ...]  # names that differ from the dataset's
    shift_ns: int  # largest distance of a timestamp from the fixed rate
    unused_images: int
    repeated_frames: int
    late_messages: int
    bad_messages: int
    first_fault: str  # of the bad messages
    rounded: bool  # a joint value is not exact in float32
    psnr_db: tuple[float, ...]  # of sample frames; inf where every bit is the same
    source_faults: tuple[str, ...] = ()  # data of the source that are missing or contradict each other


def loss_sentences(losses: Sequence[RecordingLosses], codec: Codec, renumbered: Sequence[str]) -> list[str]:
    """Describe the losses of all recordings, one sentence for each kind.

    Args:
        losses: of the recordings in the dataset.
        codec: of the videos.
        renumbered: episodes whose number is not the number of their recording, as "0 is run_7".
    """
    finite = [value for one in losses for value in one.psnr_db if value < np.inf]
    shift_ms = max(one.shift_ns for one in losses) / 1e6
    unused = sum(one.unused_images for one in losses)
    repeated = sum(one.repeated_frames for one in losses)
    late = sum(one.late_messages for one in losses)
    split = [one.recording for one in losses if one.episodes > 1]
    several_tasks = [one.recording for one in losses if one.several_tasks]
    missing = _union(one.missing for one in losses)
    renamed = _union(one.renamed for one in losses)
    not_carried = _union(one.not_carried for one in losses)
    facts: list[tuple[object, str]] = [
        (True, "time of day: every episode starts at 0 s"),
        (shift_ms > 1e-3, f"timestamps: moved by up to {shift_ms:.3f} ms onto a fixed rate"),
        (unused, f"{unused} images: between the frames of the fixed rate, or without joint values"),
        (repeated, f"{repeated} frames repeat the previous image: the camera gave no usable new one in time"),
        (late, f"{late} late messages: the stamp is not after the previous stamp"),
        (split, f"gaps: these recordings are split into several episodes: {', '.join(split)}"),
        (any(one.rounded for one in losses), "joint values beyond single precision: they are stored as float32"),
        (finite, f"image quality: codec {codec}, {np.mean(finite or [0]):.1f} dB PSNR"),
        (missing, f"not recorded, so not in the dataset: {', '.join(missing)}"),
        (renamed, f"different names, of which a dataset has one: {', '.join(renamed)}"),
        (several_tasks, f"the task of each frame: every frame has the first task of {', '.join(several_tasks)}"),
        (renumbered, f"episode numbers, counted again from 0: {', '.join(renumbered)}"),
        (not_carried, f"not carried over: {', '.join(not_carried)}"),
    ]
    facts += [(True, f"faults of {one.recording}: {text}") for one in losses for text in one.source_faults]
    bad = sum(one.bad_messages for one in losses)
    first_fault = next((one.first_fault for one in losses if one.first_fault), "")
    return [sentence for holds, sentence in facts if holds] + unusable_messages(bad, first_fault)


def _union(parts: Iterable[Iterable[str]]) -> list[str]:
    return sorted({name for part in parts for name in part})
