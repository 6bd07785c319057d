"""The folder of a run records its origin, and has previews of each evaluation."""

import json
from importlib.metadata import version

import numpy as np
import pytest
from command import hwm
from PIL import Image
from small_training import SMALL_FLOW, train_model
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from hwm_core.errors import BadBag
from hwm_core.train.reporter import Progress
from hwm_core.visualization.preview_sheet import Preview, preview_sheet
from training.environment import add_start
from training.screen import Screen


def previews(run):
    return {file.name: np.asarray(Image.open(file)) for file in (run / "previews").iterdir()}


def test_every_start_of_a_run_is_recorded_with_machine_packages_and_command(store, tokenizer, tmp_path):
    train_model(store, tokenizer, tmp_path / "run")
    train_model(store, tokenizer, tmp_path / "run", "--resume")
    first, second = json.loads((tmp_path / "run" / "environment.json").read_text())["starts"]
    assert [first["resumed"], second["resumed"]] == [False, True]
    assert first["torch"] and first["threads"] == 1 and first["processor"] and first["command"]
    assert first["packages"]["numpy"] == version("numpy") and first["revision"] == second["revision"]


def test_a_truncated_list_of_starts_is_rejected_with_its_path(tmp_path):
    add_start(tmp_path, "abc", resumed=False)
    file = tmp_path / "environment.json"
    file.write_text(file.read_text()[:-20])
    with pytest.raises(BadBag, match=r"environment\.json: expected a JSON object.*Remove the file"):
        add_start(tmp_path, "abc", resumed=True)
    add_start(tmp_path, "abc", resumed=False)


def test_each_evaluation_of_a_masked_model_previews_the_same_windows(store, tokenizer, tmp_path):
    train_model(store, tokenizer, tmp_path / "run", "train.evaluate_every=2", "train.learning_rate=0.1")
    images = previews(tmp_path / "run")
    assert sorted(images) == ["step_000002.png", "step_000004.png"]
    before, after = images["step_000002.png"], images["step_000004.png"]
    assert before.shape == after.shape and not np.array_equal(before, after)
    # The upper row shows past and truth, which training does not change: 52 pixels of titles, then 96.
    assert np.array_equal(before[52:148], after[52:148])
    assert any(file.name.startswith("events") for file in (tmp_path / "run").iterdir())


def test_tokenizers_and_flow_models_have_previews(store, tmp_path):
    base = ["--preset", "flow_tiny", "--data", str(store)]
    hwm("train-tokenizer", *base, "--out", str(tmp_path / "tokenizer"), *SMALL_FLOW)
    codes = str(tmp_path / "tokenizer" / "tokenizer")
    hwm("train", *base, "--tokenizer", codes, "--out", str(tmp_path / "run"), *SMALL_FLOW)
    for run in ("tokenizer", "run"):
        (sheet,) = previews(tmp_path / run).values()
        assert sheet.std() > 10  # the image is not empty


def test_a_preview_has_the_truth_above_the_prediction():
    grey = [np.full((8, 16, 16, 3), value, np.uint8) for value in (50, 100, 200)]
    sheet = preview_sheet("run, step 1", "predicted", [Preview(grey[0][:2], grey[1], grey[2])], cell=32)
    column = 12 + 2 * 36 + 8 + 16  # after the margin, two past frames and the gap, in the middle of a frame
    assert sheet[52 + 16, 12 + 16, 0] == 50
    assert sheet[52 + 16, column, 0] == 100 and sheet[52 + 36 + 16, column, 0] == 200
    alone = preview_sheet("run, step 1", "reconstructed", [Preview(grey[0][:0], grey[1], grey[2])], cell=32)
    assert alone[52 + 16, 12 + 16, 0] == 100


def test_steps_that_a_resumed_run_repeats_are_in_tensorboard_once(tmp_path):
    for losses in ({20: 5.0, 40: 4.0, 60: 3.0}, {40: 4.5, 60: 3.5}):  # killed after step 60, resumed from step 20
        with Screen(tmp_path) as screen:
            for step, loss in losses.items():
                screen.report(Progress(step, float(step), 0.1), {"train/loss": loss})
    events = EventAccumulator(str(tmp_path)).Reload().Scalars("train/loss")
    assert [(one.step, one.value) for one in events] == [(20, 5.0), (40, 4.5), (60, 3.5)]
