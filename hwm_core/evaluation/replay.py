"""Replays a recorded bag: the model predicts later frames from earlier frames, and both are compared."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from hwm_core.config import Config
from hwm_core.data.rosbag2.recording import BagRecording
from hwm_core.data.rosbag2.stamps import Stamps
from hwm_core.data.rosbag2.topics import Topics
from hwm_core.evaluation.checkpoint_evaluation import caption, computed_on, describe
from hwm_core.evaluation.config import EvaluationConfig
from hwm_core.evaluation.engine import Evaluation
from hwm_core.evaluation.examples import examples
from hwm_core.evaluation.json_report import psnr_tables_json
from hwm_core.evaluation.tables import markdown
from hwm_core.evaluation.windows import EvaluationWindows
from hwm_core.io.atomic import new_file, write_text
from hwm_core.sampling.config import Sampling
from hwm_core.types import Episode
from hwm_core.visualization import VideoWriter, contact_sheet, heat, side_by_side, write_png
from hwm_core.world_model.model import WorldModel


class ReplayConfig(Config):
    """Settings of a replay."""

    topics: Topics = Topics()
    stamps: Stamps = Field(default=Stamps(), description="clock and offset of each topic")
    horizons: tuple[int, ...] = Field(default=(8, 16, 24), description="frames ahead")
    stride: int = Field(default=5, ge=1, description="frames between the starts of windows")
    sampling: Sampling = Field(default=Sampling(), description="sampling of predictions")
    seed: int = Field(default=0, ge=0, description="seed of sampling and of the donors of shuffled actions")
    examples: int = Field(default=4, ge=1, description="number of windows on the contact sheet")
    max_video_seconds: float = Field(
        default=60.0,
        gt=0,
        description="maximum length of the video in seconds; it shows the start of a longer recording",
    )


@dataclass(frozen=True)
class Replay:
    """The numbers of one replay, and its files."""

    metrics: dict[str, Any]
    remarks: str  # what of the recording was left out, or is missing in it; empty when nothing
    table: str  # Markdown
    metrics_path: Path
    table_path: Path
    sheet_path: Path
    video_path: Path


def replay(
    bag: str | Path,
    world_model: WorldModel,
    out: str | Path,
    config: ReplayConfig,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> Replay:
    """Predict a bag's frames from earlier frames; write table.md, metrics.json, contact_sheet.png, prediction.mp4.

    The same bag, checkpoint and configuration give the same files on the same machine.

    Args:
        bag: rosbag2 folder, or one .mcap or .db3 file.
        out: folder for the files; created if it does not exist.
        progress: called with (windows done, number of windows).

    Raises:
        BadBag: the bag cannot be read, lacks a topic, or is too short for a window.
        RobotMismatch: the bag lacks joints of the checkpoint's manifest.
        BadActions, BadImage: the bag lacks the model's kind of actions, or its camera has another aspect.
    """
    manifest = world_model.manifest
    episode, read = BagRecording(Path(bag), config.topics, config.stamps).read(
        world_model.preprocessing, manifest.names, aliases=manifest.aliases
    )
    settings = {key: config.plain()[key] for key in ("horizons", "stride", "sampling", "seed")}
    evaluation = Evaluation(world_model, [episode], EvaluationConfig.parse(settings, where="replay"))
    result = evaluation.run(progress)
    counts = {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(read).items()}
    metrics = {
        "bag": {"name": episode.name, "seconds": round(len(episode) / world_model.frame_rate_hz, 3), **counts},
        "checkpoint": describe(world_model),
        **computed_on(world_model),
        "settings": config.plain(),
        **psnr_tables_json(result),
    }
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    done = Replay(
        metrics=metrics,
        remarks=read.remarks(),
        table=markdown(result),
        metrics_path=out / "metrics.json",
        table_path=out / "table.md",
        sheet_path=out / "contact_sheet.png",
        video_path=out / "prediction.mp4",
    )
    sheet = contact_sheet(
        f"Replay of {episode.name}",
        caption(world_model, config.sampling),
        examples(evaluation, result, config.examples),
        world_model.frame_rate_hz,
    )
    with new_file(done.sheet_path) as partial:
        write_png(partial, sheet)
    _write_video(done.video_path, world_model, episode, config)
    write_text(done.table_path, done.table)
    write_text(done.metrics_path, json.dumps(metrics, indent=2, allow_nan=False) + "\n")
    return done


def _write_video(path: Path, world_model: WorldModel, episode: Episode, config: ReplayConfig) -> None:
    """The whole recording: when a predicted future has passed, the next future is predicted."""
    rate, seen = world_model.frame_rate_hz, world_model.past_frames
    longest_take = int(np.unique(episode.segments, return_counts=True)[1].max())
    future = min(world_model.future_frames, longest_take - seen)
    windows = EvaluationWindows([episode], world_model.manifest, seen, future, stride=future)
    count = min(len(windows), max(1, int(config.max_video_seconds * rate) // future))
    with new_file(path) as partial, VideoWriter(partial, rate) as video:
        for window in range(count):
            frames, actions = windows.frames([window])[0], windows.actions([window])[0]
            past = world_model.observe(frames[:seen], actions[:seen])
            rollout = world_model.rollout(past, actions[None, seen:], sampling=config.sampling, seed=config.seed)
            predicted, truth = world_model.frames(past, rollout)[0, :future], frames[seen:]
            differences = heat(predicted, truth)
            for ahead in range(future):
                panels = {
                    "truth": truth[ahead],
                    "prediction": predicted[ahead],
                    "difference": differences[ahead],
                }
                seconds = (windows.start[window] + seen + ahead) / rate
                words = f"{episode.name}   {seconds:.2f} s   predicted {(ahead + 1) / rate:.2f} s ahead"
                video.write(side_by_side(panels, words, (ahead + 1) / future))
