"""Atomic writes: files are complete or absent."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from recordings import record_drift
from untrained import untrained

from hwm_core.data.rosbag2.recording import BagRecording
from hwm_core.evaluation import plan_video as planning_video
from hwm_core.evaluation import replay as replaying
from hwm_core.evaluation.replay import ReplayConfig, replay
from hwm_core.io.atomic import new_file, write_json
from hwm_core.sampling.config import Sampling
from hwm_core.train.state import read_state, write_state
from hwm_core.world_model.model import WorldModel
from training import record_sim


def test_a_new_file_is_flushed_before_it_is_renamed(tmp_path, monkeypatch):
    path, flushed, sync = tmp_path / "it.json", [], os.fsync

    def watched(descriptor: int) -> None:
        assert not path.exists()
        flushed.append(json.loads(Path(f"/proc/self/fd/{descriptor}").read_text()))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", watched)
    write_json(path, {"a": 1})
    assert flushed == [{"a": 1}] and json.loads(path.read_text()) == {"a": 1}


def test_an_error_while_writing_keeps_the_old_file_and_no_part_of_the_new_one(tmp_path):
    def write_half() -> None:
        with new_file(tmp_path / "it") as partial:
            partial.write_text("{")
            raise OSError("no space left")

    write_json(tmp_path / "it", {"a": 1})
    with pytest.raises(OSError, match="no space"):
        write_half()
    assert [path.name for path in tmp_path.iterdir()] == ["it"] and json.loads((tmp_path / "it").read_text())


def test_a_failed_write_keeps_the_previous_training_state(tmp_path, monkeypatch):
    write_state(tmp_path / "state.pt", {"step": 1})

    def full(state, file):
        file.write(b"half")
        raise OSError("no space left")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(OSError, match="no space"):
        write_state(tmp_path / "state.pt", {"step": 2})
    assert [path.name for path in tmp_path.iterdir()] == ["state.pt"] and read_state(tmp_path / "state.pt")["step"] == 1


def test_the_dataset_cards_of_recordings_are_complete_or_absent(tmp_path, monkeypatch):
    write = Path.write_text

    def full(path: Path, text: str) -> None:
        write(path, text[:10])
        raise OSError("no space left")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OSError, match="no space"):
        record_sim.record(tmp_path, {"train": 0, "val": 0}, record_sim.RecordingSettings(), processes=1)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


@pytest.fixture(scope="module")
def world_model() -> WorldModel:
    return WorldModel(untrained())


def breaking() -> Callable[..., np.ndarray]:
    """A function that draws three frames and then fails."""
    left = [np.zeros((16, 16, 3), np.uint8)] * 3

    def draw(*_: object, **__: object) -> np.ndarray:
        if not left:
            raise RuntimeError("power failure")
        return left.pop()

    return draw


def test_videos_are_complete_or_absent(tmp_path, monkeypatch, world_model):
    bag, out = record_drift(tmp_path / "run"), tmp_path / "out"
    monkeypatch.setattr(replaying, "side_by_side", breaking())
    with pytest.raises(RuntimeError, match="power failure"):
        replay(bag, world_model, out, ReplayConfig())
    episode, _ = BagRecording(bag, replaying.Topics()).read(world_model.preprocessing, world_model.manifest.names)
    seen, future = world_model.past_frames, world_model.future_frames
    actions = world_model.manifest.actions_of(episode)[seen : seen + future]
    plans = [planning_video.TimedPlan(int(episode.stamps_ns[seen]), actions)]
    monkeypatch.setattr(planning_video, "side_by_side", breaking())
    with pytest.raises(RuntimeError, match="power failure"):
        planning_video.plan_video(
            out / "reach.mp4", world_model, episode, plans, episode.frames[0], [""] * len(episode), Sampling()
        )
    assert not list(out.glob("*.mp4*"))
