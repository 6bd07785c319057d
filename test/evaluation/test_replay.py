"""Replay of small recorded bags with an untrained checkpoint: the files, their numbers, and which bags are rejected."""

import json
from pathlib import Path

import av
import cv2
import pytest
import torch
from recordings import record_drift
from untrained import untrained

from hwm_core.errors import BadActions, BadBag, BadConfig, BadImage, RobotMismatch
from hwm_core.evaluation.replay import ReplayConfig, replay
from hwm_core.world_model.model import WorldModel

FILES = ("metrics.json", "table.md", "contact_sheet.png", "prediction.mp4")
SHORT = {"examples": 1, "max_video_seconds": 0.1}  # videos of one prediction: encoding takes most of the time


@pytest.fixture(scope="module", params=["masked", "flow", "st_transformer"])
def world_model(request) -> WorldModel:
    return WorldModel(untrained(family=request.param))


def test_a_replay_writes_table_numbers_sheet_and_video(tmp_path: Path, world_model: WorldModel) -> None:
    done = replay(record_drift(tmp_path / "run"), world_model, tmp_path / "out", ReplayConfig())
    assert {path.name for path in (tmp_path / "out").iterdir()} == set(FILES)
    metrics = json.loads(done.metrics_path.read_text())
    assert metrics == done.metrics
    assert metrics["bag"]["name"] == "run" and metrics["bag"]["frames"] == 60
    assert metrics["checkpoint"] == {"name": "untrained", "sha256": "", "parameters": world_model.num_parameters}
    # 60 frames hold windows of 33 at the starts 0, 5, .. 25
    assert {h: of["windows"] for h, of in metrics["psnr_db"].items()} == {"8": 6, "16": 6, "24": 6}
    assert done.table_path.read_text() == done.table
    assert cv2.imread(str(done.sheet_path)).std() > 10, "the sheet is not blank"
    with av.open(str(done.video_path)) as container:
        # Starts 0 and 24 fit (24 + 33 = 57), each with 24 predicted frames
        assert sum(1 for _ in container.decode(video=0)) == 48


def test_a_wan_model_replays_a_bag(tmp_path: Path) -> None:
    world_model = WorldModel(untrained(family="wan"), dtype=torch.float32)
    bag = record_drift(tmp_path / "run", frames=42)  # windows of 33 frames at 0 and 8
    done = replay(bag, world_model, tmp_path / "out", ReplayConfig(horizons=(4, 24), examples=1, stride=8))
    assert {path.name for path in (tmp_path / "out").iterdir()} == set(FILES)
    assert {h: of["windows"] for h, of in done.metrics["psnr_db"].items()} == {"4": 2, "24": 2}


def test_the_same_bag_gives_the_same_files(tmp_path: Path, world_model: WorldModel) -> None:
    bag = record_drift(tmp_path / "run", frames=45)
    for out in ("a", "b"):
        replay(bag, world_model, tmp_path / out, ReplayConfig(**SHORT))
    for name in FILES:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), name


def test_windows_do_not_cross_a_camera_gap(tmp_path: Path, world_model: WorldModel) -> None:
    bag = record_drift(tmp_path / "run", frames=80, gap=True)
    done = replay(bag, world_model, tmp_path / "out", ReplayConfig(**SHORT))
    # Two segments of 40 frames: starts 0 and 5 in each
    assert done.metrics["psnr_db"]["8"]["windows"] == 4
    assert done.metrics["bag"]["gaps"] == 1


def test_horizons_beyond_the_models_future_are_rolled_out_further(tmp_path: Path, world_model: WorldModel) -> None:
    done = replay(
        record_drift(tmp_path / "run"), world_model, tmp_path / "out", ReplayConfig(horizons=(3, 30), **SHORT)
    )
    assert list(done.metrics["psnr_db"]) == ["3", "30"]


def test_a_bag_of_another_robot_is_rejected_with_its_missing_joints(tmp_path: Path, world_model: WorldModel) -> None:
    bag = record_drift(tmp_path / "run", joints=("neck_yaw", "left_elbow", "right_elbow_joint"))
    with pytest.raises(RobotMismatch, match="right_elbow"):
        replay(bag, world_model, tmp_path / "out", ReplayConfig())
    assert not (tmp_path / "out").exists(), "nothing is written"


def test_a_camera_of_another_aspect_is_rejected(tmp_path: Path, world_model: WorldModel) -> None:
    with pytest.raises(BadImage, match="aspect"):
        replay(record_drift(tmp_path / "run", width=24), world_model, tmp_path / "out", ReplayConfig())


def test_a_model_of_states_rejects_a_bag_of_commands(tmp_path: Path) -> None:
    with pytest.raises(BadActions, match="states"):
        replay(record_drift(tmp_path / "run"), WorldModel(untrained(kind="states")), tmp_path / "out", ReplayConfig())


def test_a_bag_too_short_for_a_window_is_rejected(tmp_path: Path, world_model: WorldModel) -> None:
    with pytest.raises(BadBag, match="9 past and 24 future frames"):
        replay(record_drift(tmp_path / "run", frames=20), world_model, tmp_path / "out", ReplayConfig())


def test_a_short_bag_is_replayed_at_a_short_horizon(tmp_path: Path, world_model: WorldModel) -> None:
    bag = record_drift(tmp_path / "run", frames=21)
    done = replay(bag, world_model, tmp_path / "out", ReplayConfig(horizons=(8,), stride=4))
    assert done.metrics["psnr_db"]["8"]["windows"] == 2
    with av.open(str(done.video_path)) as container:
        assert sum(1 for _ in container.decode(video=0)) == 12  # the frames after 9 past ones


def test_a_misspelt_setting_is_rejected_with_the_right_name() -> None:
    with pytest.raises(BadConfig, match="Did you mean `horizons`"):
        ReplayConfig.parse({"horizon": [8]})
