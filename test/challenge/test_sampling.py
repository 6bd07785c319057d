"""The sampling track: predictions, the report, and resuming."""

import json

import cv2
import pytest
import torch
from forecast_models import SMALL, eve_model, two_takes

from hwm_core.challenge.forecast_samples import cut_forecast_samples
from hwm_core.challenge.forecasts import SamplingTrack
from hwm_core.challenge.sampling import run_track
from hwm_core.data.formats.onex_raw import open_raw
from hwm_core.errors import BadConfig


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    return two_takes(tmp_path_factory.mktemp("raw"))


def test_a_stopped_run_resumes_and_writes_frames_and_a_report(raw, tmp_path) -> None:
    made, track = eve_model(), SamplingTrack.parse(SMALL)

    def samples():
        return cut_forecast_samples(open_raw(raw), made, side=track.side)

    def stop(done: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_track(made, samples(), track, tmp_path / "out", data="val", progress=stop)
    assert [path.name for path in tmp_path.iterdir()] == ["out.unfinished"]
    with pytest.raises(BadConfig, match="the data it was started with"):
        run_track(made, samples(), track, tmp_path / "out", data="other")
    with pytest.raises(BadConfig, match="arithmetic"):
        run_track(eve_model(dtype=torch.bfloat16), samples(), track, tmp_path / "out", data="val")
    report = run_track(made, samples(), track, tmp_path / "out", data="val").plain()
    assert report == run_track(made, samples(), track, tmp_path / "whole", data="val").plain()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "whole"]
    assert json.loads((tmp_path / "out/report.json").read_text()) == report and report["samples"] == 2
    numbers = {"psnr_db", "pooled_psnr_db", "ssim", "gain_over", "samples", "takes", "seed"}
    assert {frozenset(condition) for condition in report["conditions"].values()} == {frozenset(numbers)}
    assert set(report["conditions"]["model"]["gain_over"]) == {"copy_last", "shuffled"}
    for condition in ("mean_of_3", "mean_of_3 + blur"):
        gain = report["conditions"][condition]["gain_over"]
        assert set(gain) == {"copy_last", "model"} and gain["model"]["low"] is None, "2 takes give no interval"
        above = report["conditions"][condition]["psnr_db"] - report["conditions"]["model"]["psnr_db"]
        assert gain["model"]["mean"] == pytest.approx(above)
    table, card = ((tmp_path / "out" / name).read_text() for name in ("table.md", "MODEL_CARD.md"))
    assert (
        "| mean of 3 samples above model | " in table and "| model above shuffled actions | " in table and table in card
    )
    assert "2 samples of 2 takes, seed 0" in card and "a ceiling" in card
    for name in ("set_0_0", "set_0_80"):
        image = cv2.imread(str(tmp_path / f"out/predictions/{name}.png"))
        assert image.shape == (32, 32, 3)


def test_an_unknown_condition_cannot_be_submitted(raw, tmp_path) -> None:
    made = eve_model()
    track = SamplingTrack.parse({**SMALL, "submitted": "mean_of_9"})
    with pytest.raises(BadConfig, match="mean_of_3"):
        run_track(made, cut_forecast_samples(open_raw(raw), made, side=32), track, tmp_path / "out", data="val")
    assert not [*tmp_path.iterdir()], "a run that cannot start leaves no files"
    with pytest.raises(BadConfig, match="rising"):
        SamplingTrack.parse({"ensemble": [5, 1]})
