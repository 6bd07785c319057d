"""The sampling track: predictions, the report, and resuming."""

import json
import shutil
import zipfile

import cv2
import numpy as np
import pytest
import torch
from forecast_models import SMALL, eve_model, two_takes
from metric_networks import Colours, TracedLpips, script
from onex_sets import hidden_v2

from hwm_core.challenge.forecast_samples import cut_forecast_samples
from hwm_core.challenge.forecasts import SamplingTrack
from hwm_core.challenge.hidden_samples import cut_hidden_samples, is_hidden_set, open_hidden
from hwm_core.challenge.hidden_samples import identity as hidden_identity
from hwm_core.challenge.metric_networks import MetricNetworks
from hwm_core.challenge.sampling import run_track
from hwm_core.data.formats.onex_raw import open_raw
from hwm_core.errors import BadBag, BadConfig
from hwm_core.metrics.extractors import load_extractor
from hwm_core.metrics.lpips import Lpips


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
    numbers = {"psnr_db", "pooled_psnr_db", "ssim", "lpips", "fid", "gain_over", "samples", "takes", "seed"}
    assert {frozenset(condition) for condition in report["conditions"].values()} == {frozenset(numbers)}
    assert set(report["conditions"]["model"]["gain_over"]) == {"copy_last", "shuffled"}
    for condition in ("mean_of_3", "mean_of_3 + blur"):
        gain = report["conditions"][condition]["gain_over"]
        assert set(gain) == {"copy_last", "model"} and gain["model"]["low"] is None, "2 takes give no interval"
        above = report["conditions"][condition]["psnr_db"] - report["conditions"]["model"]["psnr_db"]
        assert gain["model"]["mean"] == pytest.approx(above)
    assert set(report["unavailable"]) == {"lpips", "fid"} and report["conditions"]["model"]["fid"] is None
    table, card = ((tmp_path / "out" / name).read_text() for name in ("table.md", "MODEL_CARD.md"))
    assert (
        "| mean of 3 samples above model | " in table and "| model above shuffled actions | " in table and table in card
    )
    assert "| steps | samples | CFG scale | PSNR, dB | pooled PSNR, dB | SSIM | LPIPS | FID |" in table
    assert "| mean of 3 samples | 1 | 3 | - |" in table and "| copy last frame | - | - | - |" in table
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


def test_lpips_and_frechet_distance_of_every_condition_with_local_networks(raw, tmp_path) -> None:
    made = eve_model()
    networks = MetricNetworks(
        Lpips("script", script(TracedLpips(), tmp_path / "alex.pt")),
        load_extractor("script", script(Colours(), tmp_path / "small.pt")),
    )
    report = run_track(
        made,
        cut_forecast_samples(open_raw(raw), made, side=32),
        SamplingTrack.parse(SMALL),
        tmp_path / "out",
        data="val",
        networks=networks,
    ).plain()
    for name, score in report["conditions"].items():
        assert score["fd-small"] > -1e-6 and (score["lpips"] > 0 or name == "resized"), name
    assert report["unavailable"] == {} and report["settings"]["networks"]["lpips"].startswith("LPIPS-alex:")


def test_a_hidden_set_gives_predictions_and_an_archive_and_no_numbers(tmp_path) -> None:
    path, out = hidden_v2(tmp_path / "test", (3, 12)), tmp_path / "out"
    made, track = eve_model(hz=7.5, num_past_latents=1), SamplingTrack.parse(SMALL)
    hidden = open_hidden(path)
    assert is_hidden_set(path) and [one.number for one in hidden] == [3, 12]
    samples = list(cut_hidden_samples(hidden, made, side=32))
    assert [one.name for one in samples] == ["3", "12"] and samples[0].truth is None
    assert samples[0].actions[:, 0].tolist() == [16, *range(20, 77, 4)], "every fourth state of 77"
    report = run_track(made, iter(samples), track, out, data=hidden_identity(hidden))
    assert report.hidden and report.plain()["conditions"] == {} and report.counts.samples == 2
    assert sorted(file.name for file in out.iterdir()) == ["predictions", "predictions.zip", "report.json"]
    with zipfile.ZipFile(out / "predictions.zip") as archive:
        assert archive.namelist() == ["12.png", "3.png"]
        assert archive.read("3.png") == (out / "predictions/3.png").read_bytes()
    assert cv2.imread(str(out / "predictions/12.png")).shape == (32, 32, 3)
    assert hidden_identity(open_hidden(path, limit=1)) != hidden_identity(hidden)


def test_a_wan_model_predicts_the_means_of_a_hidden_set_with_its_own_solver_and_guidance(tmp_path) -> None:
    made = eve_model("wan", hz=7.5, num_past_latents=2, num_future_latents=4)  # 5 + 16 frames of every fourth
    sampling = {"steps": 2, "solver": "unipc", "guidance_scale": 1.5}
    track = SamplingTrack.parse({**SMALL, "ensemble": [1, 2], "sampling": sampling})
    (sample,) = cut_hidden_samples(open_hidden(hidden_v2(tmp_path / "test", (3,))), made, side=32)
    assert sample.actions.shape == (20, 25), "5 past and 15 future frames; the last latent holds the last state"
    report = run_track(made, [sample], track, tmp_path / "out", data="test")
    assert report.hidden and (tmp_path / "out/predictions/3.png").exists()


def test_a_hidden_sample_with_other_states_or_frames_is_rejected(tmp_path) -> None:
    made, path = eve_model(), hidden_v2(tmp_path / "test", (3,))
    (path / "states_3.bin").write_bytes(np.zeros((77, 24), np.float32).tobytes())
    with pytest.raises(BadBag, match=r"float32 \[77, 25\], got 7392 bytes"):
        list(cut_hidden_samples(open_hidden(path), made, side=32))
    short = hidden_v2(tmp_path / "short", (3,), frames=16)
    with pytest.raises(BadBag, match="17"):
        list(cut_hidden_samples(open_hidden(short), made, side=32))
    (short / "video_a.mp4").touch()
    with pytest.raises(BadBag, match=r"video_NUMBER\.mp4"):
        open_hidden(short)


def test_an_incomplete_or_ambiguous_hidden_set_is_rejected_with_its_files(tmp_path) -> None:
    path = hidden_v2(tmp_path / "test", (3, 12))
    (path / "videos").mkdir()
    again = shutil.copy(path / "video_3.mp4", path / "videos/video_3.mp4")
    with pytest.raises(BadBag, match=rf"video of sample 3, got {path / 'video_3.mp4'} and {again}\. Remove one"):
        open_hidden(path)
    (path / "video_3.mp4").unlink()
    assert [one.video.name for one in open_hidden(path)] == ["video_3.mp4", "video_12.mp4"], "found in a sub-folder"
    (path / "states_12.bin").unlink()
    with pytest.raises(BadBag, match=r"video_12\.mp4 and states_12\.bin of sample 12, got only video_12\.mp4"):
        open_hidden(path)


@pytest.mark.parametrize("suffix", ["mp4", "bin"])
def test_the_identity_of_a_hidden_set_depends_on_every_file(tmp_path, suffix) -> None:
    path = hidden_v2(tmp_path / "test", (3,))
    before = hidden_identity(open_hidden(path))
    (changed,) = path.glob(f"*.{suffix}")
    content = bytearray(changed.read_bytes())
    content[-1] ^= 1
    changed.write_bytes(content)
    assert hidden_identity(open_hidden(path)) != before
