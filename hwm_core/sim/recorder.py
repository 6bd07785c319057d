"""Episodes of the simulated humanoid: in memory with ground truth, or as the rosbag2 of a real robot."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hwm_core.data.recording.preprocessing import Preprocessing
from hwm_core.data.rosbag2.topics import Topics
from hwm_core.data.rosbag2.writer import BagWriter, ImageFormat
from hwm_core.sim.description import CAMERA_FRAME, CONTROL_HZ, JointReading
from hwm_core.sim.model import SimHumanoid
from hwm_core.sim.motions import MOTIONS, CommandSource, Motion
from hwm_core.types import Episode


@dataclass(frozen=True)
class Tick:
    """One control tick: the joints move, the camera takes a frame, a command is issued."""

    readings: tuple[JointReading, ...]  # since the previous frame; the last has the frame's stamp
    frame: NDArray[np.uint8]  # [H, W, 3] RGB
    command: NDArray[np.float64]  # [A] issued at the frame's stamp

    @property
    def stamp_ns(self) -> int:
        """Acquisition time of the frame."""
        return self.readings[-1].time_ns


@dataclass(frozen=True)
class SimEpisode:
    """A simulated episode with ground truth that a real robot cannot provide."""

    seed: int
    names: tuple[str, ...]
    frames: NDArray[np.uint8]  # [F, H, W, 3] RGB
    stamps_ns: NDArray[np.int64]  # [F]
    states: NDArray[np.float32]  # [F, A]
    commands: NDArray[np.float32]  # [F, A] commands[t] was issued at frame t and first changes frame t + 1
    home: NDArray[np.float32]  # [A] the command before frame 0
    object_positions: NDArray[np.float32]  # [F, n, 3] metres
    object_masks: NDArray[np.uint8] | None  # [F, H, W] 0 for no object, k for the k-th of variation.OBJECTS

    def to_episode(self, preprocessing: Preprocessing) -> Episode:
        """The episode as read from its bag: preprocessed frames, commands shifted by one frame."""
        indices, segments = preprocessing.pick_frames(self.stamps_ns)
        stamps_ns = self.stamps_ns[indices]
        # The newest command issued strictly before each frame; before frame 0 it is the start posture.
        newest = np.searchsorted(self.stamps_ns, stamps_ns, side="left") - 1
        return Episode(
            name=f"sim_{self.seed:07d}",
            frames=np.stack([preprocessing.apply(self.frames[i]) for i in indices]),
            stamps_ns=stamps_ns,
            segments=segments,
            names=self.names,
            states=self.states[indices],
            commands=np.where(newest[:, None] < 0, self.home, self.commands[newest]),
        )

    def object_positions_of(self, preprocessing: Preprocessing) -> NDArray[np.float32]:
        """The object positions at the frames of `to_episode`, [F, n, 3] in metres."""
        indices, _ = preprocessing.pick_frames(self.stamps_ns)
        return self.object_positions[indices]

    def object_masks_of(self, preprocessing: Preprocessing) -> NDArray[np.uint8]:
        """The object masks at the frames of `to_episode`, uint8 [F, height, width]; needs an episode with masks.

        A pixel is k where object k covers at least half of it.
        """
        assert self.object_masks is not None, "simulate_episode(..., masks=True)"
        indices, _ = preprocessing.pick_frames(self.stamps_ns)
        masks = (self.object_masks[i] for i in indices)
        # The masks of the three objects pass as three colour channels through the same crop and resizing as frames.
        layers = (np.stack([(mask == k) * np.uint8(255) for k in (1, 2, 3)], axis=-1) for mask in masks)
        coverage = np.stack([preprocessing.apply(layer) for layer in layers])
        return np.where(coverage.max(axis=-1) >= 128, coverage.argmax(axis=-1) + 1, 0).astype(np.uint8)


def play(robot: SimHumanoid, motion: CommandSource, seconds: float) -> Iterator[Tick]:
    """Drive the robot by the motion. When a tick is yielded, the robot is still in the state of its frame."""
    readings: tuple[JointReading, ...] = (robot.joint_state(),)
    for _ in range(round(seconds * CONTROL_HZ)):
        yield Tick(readings, robot.render(), robot.command(motion.next_command()))
        readings = tuple(robot.advance())


def simulate_episode(
    seed: int, seconds: float = 10.0, camera_size: int = 128, masks: bool = False, motion: Motion = "random"
) -> SimEpisode:
    """Simulate one episode.

    Args:
        seed: of all random numbers; the same seed gives the same bytes.
        seconds: length, at 30 frames per second.
        camera_size: pixels, height and width.
        masks: also render object masks (about 1.6 times the cost).
        motion: a key of `motions.MOTIONS`.

    Raises:
        MissingGL: the machine cannot render offscreen.
    """
    with SimHumanoid(seed, camera_size) as robot:
        home = robot.last_command.astype(np.float32)
        ticks, positions, object_masks = [], [], []
        for tick in play(robot, MOTIONS[motion](robot, seed), seconds):
            ticks.append(tick)
            positions.append(robot.object_positions())
            if masks:
                object_masks.append(robot.object_mask())
    return SimEpisode(
        seed=seed,
        names=robot.joints.names,
        frames=np.stack([tick.frame for tick in ticks]),
        stamps_ns=np.array([tick.stamp_ns for tick in ticks], dtype=np.int64),
        states=np.array([tick.readings[-1].positions for tick in ticks], dtype=np.float32),
        commands=np.array([tick.command for tick in ticks], dtype=np.float32),
        home=home,
        object_positions=np.array(positions, dtype=np.float32),
        object_masks=np.stack(object_masks) if masks else None,
    )


def record_episode(
    path: str | Path,
    seed: int,
    seconds: float = 10.0,
    camera_size: int = 128,
    image_format: ImageFormat = "png",
    motion: Motion = "random",
) -> None:
    """Record the episode of `simulate_episode` as a rosbag2 (mcap) folder, written atomically.

    The bag holds the messages that a robot's drivers publish: images at 30 Hz (sensor_msgs/CompressedImage, or Image
    for "raw"), measured joints at 120 Hz, and commands at 30 Hz, stamped when issued. All stamps are simulated time.
    PNG is lossless, so the bag read back equals `simulate_episode`.

    Raises:
        BadBag: the path exists.
        MissingGL: the machine cannot render offscreen.
    """
    topics = Topics()
    image_topic = topics.image if image_format == "raw" else f"{topics.image}/compressed"
    with SimHumanoid(seed, camera_size) as robot, BagWriter(path) as bag:
        names, home = robot.joints.names, robot.last_command
        bag.write_joints(topics.commands, robot.time_ns - 1_000_000_000 // CONTROL_HZ, names, home)
        for tick in play(robot, MOTIONS[motion](robot, seed), seconds):
            for reading in tick.readings:
                bag.write_joints(topics.joint_states, reading.time_ns, names, reading.positions, reading.velocities)
            bag.write_image(image_topic, tick.stamp_ns, tick.frame, image_format, CAMERA_FRAME)
            bag.write_joints(topics.commands, tick.stamp_ns, names, tick.command)
