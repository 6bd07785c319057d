"""Measure the alarm of the topic ~/surprise on simulated episodes: how often it is false, and what raises it.

    python -m benchmarks.node.surprise [--checkpoint plan] [--episodes 24] [--motion skills]

Each episode of a development seed runs for 12 s without a disturbance. For each disturbance it is repeated from its
sixth second on for 3 s. The frames and commands go through the node's own `SurpriseMonitor` and `SurpriseAlarm`. The
result is benchmarks/results/surprise.json: for several thresholds the false alarms, and the share of episodes in which
a disturbance raised the alarm. Times are those of the simulation, so the load of the machine changes nothing.
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from benchmarks.node.table import surprise_table
from benchmarks.record import RESULTS, command_line, write_result
from hwm_core.assets import CHECKPOINT_HELP
from hwm_core.live.context_window import ContextWindow
from hwm_core.live.model import LiveConfig, LiveModel
from hwm_core.live.surprise import Surprise, SurpriseAlarm, SurpriseConfig, SurpriseMonitor
from hwm_core.live.surprise_file import read_surprise
from hwm_core.metrics.proportions import wilson_interval
from hwm_core.planning.costs.objective import Objective
from hwm_core.sim.description import CONTROL_HZ
from hwm_core.sim.model import SimHumanoid
from hwm_core.sim.motions import MOTIONS, Motion
from hwm_core.sim.recorder import SimEpisode
from hwm_core.sim.seeds import FIRST_SEED
from hwm_core.sim.variation import OBJECTS
from hwm_core.world_model.checkpoint_files import checkpoint_folder
from hwm_core.world_model.model import WorldModel

THRESHOLDS = (2.0, 3.0, 4.0, 6.0)
SECONDS, ONSET_S, AFTER_S = 12.0, 6.0, 3.0
_NOISE = 2.0  # standard deviation of a still camera's pixels: the node leaves out images that are equal bit by bit

Frames = NDArray[np.uint8]  # [F, H, W, 3] RGB


def frozen(frames: Frames, rng: np.random.Generator) -> Frames:
    """The camera shows one moment, with the noise of a sensor."""
    return np.clip(frames[:1] + rng.normal(0, _NOISE, frames.shape), 0, 255).astype(np.uint8)


def moved(frames: Frames, _: np.random.Generator) -> Frames:
    """The camera has turned: the image is shifted by a tenth of its width."""
    shift = frames.shape[2] // 10
    return np.concatenate([frames[:, :, shift:], np.repeat(frames[:, :, -1:], shift, axis=2)], axis=2)


def covered(frames: Frames, _: np.random.Generator) -> Frames:
    """Something grey covers the middle of the image, a quarter of its area."""
    height, width = frames.shape[1:3]
    out = frames.copy()
    out[:, height // 4 : -height // 4, width // 4 : -width // 4] = 128
    return out


def dimmed(frames: Frames, _: np.random.Generator) -> Frames:
    """The light goes: half the brightness."""
    return frames // 2


def remove_object(robot: SimHumanoid, seed: int) -> None:
    """An object disappears from the table."""
    robot.data.joint(OBJECTS[seed % len(OBJECTS)]).qpos[:3] = (-5.0, 0.0, 0.5)


IMAGES: dict[str, Callable[[Frames, np.random.Generator], Frames]] = {
    "the camera shows one moment, with noise": frozen,
    "the image is shifted by a tenth": moved,
    "a quarter of the image is covered": covered,
    "half the brightness": dimmed,
}
BLOCKED, REMOVED = "the robot does not obey its commands", "one of the objects disappears"
DISTURBANCES = (*IMAGES, BLOCKED, REMOVED)
NOTHING = "nothing: the same 3 s without a disturbance"


@dataclass(frozen=True)
class Run:
    """What the alarm is computed from: the ratios of one sequence, and the seconds of their newest frames."""

    ratios: tuple[float, ...]
    seconds: tuple[float, ...]

    def between(self, start: float, end: float) -> "Run":
        """The part of some seconds."""
        kept = [
            (ratio, second) for ratio, second in zip(self.ratios, self.seconds, strict=True) if start <= second < end
        ]
        return Run(*zip(*kept)) if kept else Run((), ())

    def alarms(self, threshold: float) -> list[float]:
        """Seconds at which the alarm rises."""
        alarm, raised, found = SurpriseAlarm(SurpriseConfig(threshold=threshold)), False, []
        for ratio, second in zip(self.ratios, self.seconds, strict=True):
            before, raised = raised, alarm.add(Surprise(0, 0, ratio, 1.0))
            if raised and not before:
                found.append(second)
        return found


def simulate(seed: int, motion: Motion, disturbance: str = "", normal: SimEpisode | None = None) -> SimEpisode:
    """An episode, disturbed from ONSET_S on; until then, the frames are those of `normal`."""
    steps, onset = round((ONSET_S + AFTER_S if disturbance else SECONDS) * CONTROL_HZ), round(ONSET_S * CONTROL_HZ)
    frames, stamps, states, commands = [], [], [], []
    with SimHumanoid(seed) as robot:
        home, source = robot.last_command.astype(np.float32), MOTIONS[motion](robot, seed)
        for step in range(steps):
            if disturbance == REMOVED and step == onset:
                remove_object(robot, seed)
                robot.restore(robot.save())  # where the camera sees it
            frames.append(robot.render() if normal is None or step >= onset else normal.frames[step])
            stamps.append(robot.time_ns)
            states.append(robot.positions)
            asked = np.clip(source.next_command(), robot.joints.lower, robot.joints.upper)
            commands.append(asked)
            robot.command(robot.last_command if disturbance == BLOCKED and step >= onset else asked)
            robot.advance()
    return SimEpisode(
        seed,
        robot.joints.names,
        np.stack(frames),
        np.array(stamps, np.int64),
        np.array(states, np.float32),
        np.array(commands, np.float32),
        home,
        np.zeros((steps, 0, 3), np.float32),
        None,
    )


def disturbed(normal: SimEpisode, motion: Motion, disturbance: str) -> SimEpisode:
    """The episode with a disturbance from ONSET_S on, for AFTER_S."""
    if disturbance not in IMAGES:
        return simulate(normal.seed, motion, disturbance, normal)
    onset, end = (round(seconds * CONTROL_HZ) for seconds in (ONSET_S, ONSET_S + AFTER_S))
    after = IMAGES[disturbance](normal.frames[onset:end], np.random.default_rng([normal.seed, 7]))
    short = {name: getattr(normal, name)[:end] for name in ("stamps_ns", "states", "commands", "object_positions")}
    return replace(normal, frames=np.concatenate([normal.frames[:onset], after]), **short)


def watch(live: LiveModel, expected: float, episode: SimEpisode, since: float = 0.0) -> Run:
    """Compare latent by latent as the node does, from the window on whose newest frame is `since` or later."""
    model, monitor = live.world_model, SurpriseMonitor(live, expected)
    live.forget_past()
    read = episode.to_episode(model.preprocessing)
    actions, began = model.manifest.actions_of(read), episode.stamps_ns[0]
    ratios, seconds = [], []
    for end in _ends(read.stamps_ns, model.past_frames, monitor.frames, began + round(since * 1e9)):
        part = slice(end - model.past_frames, end)
        found = monitor.compare(ContextWindow(np.asarray(read.frames[part]), actions[part], read.stamps_ns[part]))
        if found is not None:
            ratios.append(found.ratio)
            seconds.append((found.stamp_ns - began) * 1e-9)
    return Run(tuple(ratios), tuple(seconds))


def _ends(stamps_ns: NDArray[np.int64], past: int, every: int, since_ns: int) -> Iterator[int]:
    ends = range(past, len(stamps_ns) + 1, every)
    used = [end for end in ends if stamps_ns[end - 1] >= since_ns]
    yield from ends if len(used) == len(ends) else range(used[0] - every, len(stamps_ns) + 1, every)


def summary(normal: Sequence[Run], runs: dict[str, list[Run]]) -> dict[str, Any]:
    """The measured numbers by threshold."""
    latents = sum(len(run.ratios) for run in normal)
    minutes = sum(run.seconds[-1] - run.seconds[0] for run in normal) / 60
    rows = []
    for threshold in THRESHOLDS:
        false = [run.alarms(threshold) for run in normal]
        above = sum(ratio > threshold for run in normal for ratio in run.ratios)
        caught = {}
        for name, disturbed_runs in runs.items():
            alarms = [run.alarms(threshold) for run in disturbed_runs]
            delays = [found[0] - ONSET_S for found in alarms if found]
            caught[name] = {
                **_share(len(delays), len(alarms)),
                "median_delay_s": round(float(np.median(delays)), 2) if delays else None,
            }
        rows.append(
            {
                "threshold": threshold,
                "latents_above": _share(above, latents),
                "alarms_per_minute": round(sum(map(len, false)) / minutes, 2),
                "episodes_with_false_alarm": _share(sum(map(bool, false)), len(normal)),
                "raised": caught,
            }
        )
    return {"minutes": round(minutes, 2), "latents": latents, "thresholds": rows}


def _share(count: int, of: int) -> dict[str, Any]:
    low, high = wilson_interval(count, of)
    return {"count": count, "of": of, "interval": [round(low, 3), round(high, 3)]}


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line. Exit status 0: done."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", default="plan", help=CHECKPOINT_HELP)
    parser.add_argument("--episodes", type=int, default=24, help="seeds (%(default)s)")
    parser.add_argument("--motion", choices=get_args(Motion), default="skills", help="of the robot (%(default)s)")
    parser.add_argument("--out", type=Path, default=RESULTS / "surprise.json", help="result file (%(default)s)")
    parsed = parser.parse_args(arguments)
    world_model = WorldModel.load(parsed.checkpoint, device="cpu")
    live = LiveModel(world_model, LiveConfig(), Objective())
    measured = read_surprise(checkpoint_folder(parsed.checkpoint), world_model.sha256)
    expected = 0.0 if measured is None else measured.error
    normal: list[Run] = []
    runs: dict[str, list[Run]] = {name: [] for name in DISTURBANCES}
    for number in range(parsed.episodes):
        episode = simulate(FIRST_SEED["development"] + number, parsed.motion)
        normal.append(watch(live, expected, episode))
        for name, found in runs.items():
            found.append(watch(live, expected, disturbed(episode, parsed.motion, name), ONSET_S))
        print(f"{number + 1} of {parsed.episodes} episodes", flush=True)
    runs = {NOTHING: [run.between(ONSET_S, ONSET_S + AFTER_S) for run in normal], **runs}
    numbers = {"checkpoint": Path(parsed.checkpoint).name, "motion": parsed.motion, **summary(normal, runs)}
    write_result(
        parsed.out,
        command=command_line("benchmarks.node.surprise", sys.argv[1:] if arguments is None else arguments),
        n={"episodes": parsed.episodes, "latents without a disturbance": numbers["latents"]},
        numbers=numbers,
    )
    print(surprise_table(numbers))
    return 0


if __name__ == "__main__":
    sys.exit(main())
