"""Stages one recording for a LeRobot dataset: reads and encodes it before the dataset changes.

A recording is read twice. The first pass reads times and joint values, the second encodes the images.
"""

import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hwm_core.data.lerobot.losses import RecordingLosses
from hwm_core.data.lerobot.metadata import ACTION, STATE
from hwm_core.data.lerobot.staged import DatasetFeatures, StagedEpisode, StagedRecording
from hwm_core.data.lerobot.stats import image_stats
from hwm_core.data.recording.episode_reader import read_timeline
from hwm_core.data.recording.events import AnyEvent, CameraFrame, Event, JointValues
from hwm_core.data.recording.labels import Labels
from hwm_core.data.recording.recording import Recording
from hwm_core.data.recording.timeline import Timeline
from hwm_core.data.recording.video_encoder import Codec, FrameEncoder
from hwm_core.data.recording.video_reader import VideoSpan
from hwm_core.errors import BadBag

# Frames of an episode on which its image statistics and the codec's loss are measured.
_SAMPLE_FRAMES = 16


@dataclass(frozen=True)
class Staging:
    """Reads and encodes recordings for one dataset.

    Args:
        folder: for the videos of the recording that is staged; the next recording replaces them.
        fps: frame rate of the dataset.
        codec: of the videos.
        labels: of the dataset. Without tasks, every recording keeps its own.
        asked: labels that the user chose. A recording with other names for these has no loss.
    """

    folder: Path
    fps: float
    codec: Codec
    labels: Labels
    asked: Labels

    def stage(self, recording: Recording, features: DatasetFeatures | None) -> StagedRecording:
        """Read and encode one recording.

        Args:
            recording: the recording.
            features: of the dataset so far; None for the first recording.

        Raises:
            BadInput: the recording is damaged, has no two consecutive frames, or does not have the dataset's features.
        """
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir()
        labels = recording.labels()
        tasks = self.labels.tasks or labels.tasks
        precision = _Precision()
        timeline, report = read_timeline(recording.name, precision.watch(recording.events()), self.fps, "at_frame")
        _require_joints(timeline, features)
        # The tasks that the user asked for replace the recording's; without a task for each frame, the first is of all.
        of_frames = () if self.labels.tasks else recording.frame_tasks(timeline.stamps_ns)
        frame_tasks = of_frames or (tasks or ("",))[:1] * len(timeline)
        parts = _parts(timeline)
        images = _MatchedImages(recording, timeline, features)
        encoded = [self._stage_part(number, timeline, frame_tasks, images, *part) for number, part in enumerate(parts)]
        stamps = [timeline.stamps_ns[first:end] for first, end in parts]
        joints = {STATE: timeline.states, ACTION: timeline.commands}
        losses = RecordingLosses(
            recording=recording.name,
            episodes=len(parts),
            several_tasks=len(tasks) > 1 and not of_frames,
            missing=tuple(key for key, values in joints.items() if values is None),
            not_carried=recording.extras(),
            renamed=self._renamed(labels),
            shift_ns=max(_shift_ns(one, self.fps) for one in stamps),
            unused_images=images.count_rest(),
            repeated_frames=sum(int((np.diff(one) == 0).sum()) for one in stamps),
            late_messages=report.late,
            bad_messages=report.bad,
            first_fault=report.first_fault,
            rounded=precision.rounded,
            psnr_db=tuple(value for _, psnr_db in encoded for value in psnr_db),
            source_faults=report.source_faults,
        )
        shared = DatasetFeatures(timeline.state_names, timeline.command_names, images.shape)
        return StagedRecording(recording, tasks or ("",), shared, tuple(episode for episode, _ in encoded), losses)

    def _stage_part(
        self,
        number: int,
        timeline: Timeline,
        frame_tasks: tuple[str, ...],
        images: "_MatchedImages",
        first: int,
        end: int,
    ) -> tuple[StagedEpisode, list[float]]:
        """The frames first .. end - 1 as an episode, and the PSNR of its sample frames."""
        video = self.folder / f"{number:06d}.mp4"
        samples = self._encode(video, images, first, end)
        episode = StagedEpisode(
            states=None if timeline.states is None else timeline.states[first:end],
            commands=None if timeline.commands is None else timeline.commands[first:end],
            frames=end - first,
            video=video,
            image_stats=image_stats([rgb[::4, ::4] for rgb in samples.values()]),
            frame_tasks=frame_tasks[first:end],
        )
        return episode, _psnr_db(video, samples)

    def _encode(self, video: Path, images: "_MatchedImages", first: int, end: int) -> dict[int, NDArray[np.uint8]]:
        """Encode the frames first .. end - 1. Returns {frame of the video: image} for the sample frames."""
        samples: dict[int, NDArray[np.uint8]] = {}
        step = -(-(end - first) // _SAMPLE_FRAMES)
        with FrameEncoder(video, self.fps, self.codec) as encoder:
            for frame in range(end - first):
                rgb = images.at(first + frame)
                encoder.write(rgb)
                if frame % step == 0:
                    samples[frame] = rgb
        return samples

    def _renamed(self, labels: Labels) -> tuple[str, ...]:
        kinds = (
            ("camera", labels.camera, self.labels.camera, self.asked.camera),
            ("robot", labels.robot, self.labels.robot, self.asked.robot),
        )
        return tuple(
            f"{kind} `{own}` becomes `{dataset}`"
            for kind, own, dataset, asked in kinds
            if own and own != dataset and not asked
        )


def _require_joints(timeline: Timeline, features: DatasetFeatures | None) -> None:
    names = (timeline.state_names, timeline.command_names)
    if features is not None and names != (features.state_names, features.command_names):
        raise BadBag(
            f"Recording {timeline.name}",
            expected=f"the joints of the first recording: {', '.join(features.state_names or features.command_names)}",
            got=", ".join(names[0] or names[1]),
            remedy="Convert different robots into different datasets.",
        )


def _parts(timeline: Timeline) -> list[tuple[int, int]]:
    """(first frame, end) of each part without a gap that has at least two frames. Raises BadBag where there is none."""
    bounds = np.append(np.unique(timeline.segments, return_index=True)[1], len(timeline.stamps_ns))
    parts = [(int(first), int(end)) for first, end in pairwise(bounds) if end - first > 1]
    if not parts:
        raise BadBag(
            f"Recording {timeline.name}", expected="two frames in a row", got="none", remedy="Check its timestamps."
        )
    return parts


def _shift_ns(stamps_ns: NDArray[np.int64], fps: float) -> int:
    """The largest distance of a stamp from the fixed rate that starts at the first stamp."""
    grid = stamps_ns[0] + np.rint(np.arange(len(stamps_ns)) * 1e9 / fps).astype(np.int64)
    return int(np.abs(stamps_ns - grid).max())


class _MatchedImages:
    """The images of the second pass, found by the timestamps of the first."""

    def __init__(self, recording: Recording, timeline: Timeline, features: DatasetFeatures | None) -> None:
        self._name, self._images, self._stamps = recording.name, recording.camera_frames(), timeline.stamps_ns
        self._newest: CameraFrame | None = None
        self._skipped = 0
        self.shape: tuple[int, ...] = () if features is None else features.image_shape

    def at(self, row: int) -> NDArray[np.uint8]:
        """The image of frame `row`; rows must ascend. Raises BadBag for an image of another size."""
        while self._newest is None or self._newest.stamp_ns != self._stamps[row]:
            self._newest = next(self._images)
            self._skipped += self._newest.stamp_ns != self._stamps[row]
        rgb = self._newest.rgb
        self.shape = self.shape or rgb.shape
        if rgb.shape != self.shape:
            raise BadBag(
                f"Images of {self._name}",
                expected=list(self.shape),
                got=list(rgb.shape),
                remedy="Record with one camera mode.",
            )
        return rgb

    def count_rest(self) -> int:
        """Images that no frame shows, including the images after the last frame."""
        return self._skipped + sum(1 for _ in self._images)


class _Precision:
    """Watches events for joint values that float32 cannot hold exactly."""

    def __init__(self) -> None:
        self.rounded = False

    def watch(self, events: Iterable[AnyEvent]) -> Iterator[AnyEvent]:
        for event in events:
            if not isinstance(event, Event) or event.channel == "images":
                yield event
            else:
                yield Event(event.channel, partial(self._load, event))

    def _load(self, event: Event) -> CameraFrame | JointValues:
        content = event.load()
        assert isinstance(content, JointValues)
        values = np.asarray(content.positions, dtype=np.float64)
        finite = values[np.isfinite(values)]
        self.rounded = self.rounded or bool((finite != finite.astype(np.float32)).any())
        return content


def _psnr_db(video: Path, samples: dict[int, NDArray[np.uint8]]) -> list[float]:
    """PSNR of each sample frame; inf where every bit is the same."""
    decoded = {frame: rgb for frame, (_, rgb) in enumerate(VideoSpan(video).decode()) if frame in samples}
    errors = [float(np.mean((decoded[frame].astype(np.float64) - rgb) ** 2)) / 255**2 for frame, rgb in samples.items()]
    return [float("inf") if error == 0 else -10 * float(np.log10(error)) for error in errors]
