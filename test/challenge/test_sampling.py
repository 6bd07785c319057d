"""1X's sampling track: which frames are seen and judged, what is averaged, blurred and coloured, what is written."""

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from onex_sets import raw_v2
from untrained import untrained

from hwm_core.challenge.forecast_samples import cut_forecast_samples, frames_per_step, identity, sample_starts
from hwm_core.challenge.postprocess import blur, match_histogram
from hwm_core.challenge.sampling import SamplingTrack, evaluate_sample, predict_mean, run_track
from hwm_core.data.formats.onex_raw import open_raw
from hwm_core.data.tokens.onex_joints import EVE_STATES
from hwm_core.errors import BadActions, BadBag, BadCheckpoint, BadConfig
from hwm_core.metrics.psnr import frame_mse
from hwm_core.sampling.config import Sampling
from hwm_core.world_model.model import WorldModel

DRAWN = Sampling(temperature=1.0, soft=False)
SMALL = {"side": 32, "ensemble": (1, 3), "blur": 1.0, "sampling": DRAWN.plain()}


def model(
    family: str = "masked", hz: float = 30.0, kind: str = "states", dtype: torch.dtype = torch.float32, **config
) -> WorldModel:
    """Of 16 px: 9 frames seen, 24 predicted."""
    made = untrained(kind, EVE_STATES, family=family, **config)
    preprocessing = made.preprocessing.model_copy(update={"frame_rate_hz": hz})
    return WorldModel(type(made)(**{**vars(made), "preprocessing": preprocessing}), dtype=dtype)


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    """Frame t has grey t and state t; a take of 80 frames, then one of 80."""
    return raw_v2(tmp_path_factory.mktemp("raw") / "set", frames=160, cut=80, step=1)


def test_a_model_sees_what_ends_with_frame_16_and_is_judged_on_frame_76(raw) -> None:
    first, second = cut_forecast_samples(open_raw(raw), model(), side=32)
    assert (first.name, second.name) == ("set_0_0", "set_0_80")
    # at 30 Hz: frames 8..16 of the 17, and actions of these and of the 60 to come
    assert first.actions[:, 5].tolist() == list(range(8, 77))
    assert grey(first.frames) == pytest.approx(list(range(8, 17)), abs=3)
    assert (grey(first.last[None]), grey(first.truth[None])) == (pytest.approx([16], abs=3), pytest.approx([76], abs=3))
    assert second.actions[:, 5].tolist() == list(range(88, 157))
    assert grey(second.truth[None]) == pytest.approx([156], abs=3)


def test_borrowed_motion_is_another_take_s_from_the_own_state_and_one_moment_alone_has_none(tmp_path) -> None:
    # Two takes whose states rise by 1 a frame and by 3 a frame.
    path = raw_v2(tmp_path / "set", frames=160, cut=80, step=1)
    states = np.concatenate([np.arange(80), 100 + 3 * np.arange(80)])[:, None].repeat(25, axis=1).astype(np.float32)
    states.tofile(path / "robot_states/states_0.bin")
    made = model()
    free = made.manifest.model_copy(update={"lower": (-1e4,) * 25, "upper": (1e4,) * 25})
    made.manifest = free
    first, second = cut_forecast_samples(open_raw(path), made, side=16)
    assert first.borrowed.shape == (60, 25)
    assert np.allclose(first.borrowed[:, 0], 16 + 3 * np.arange(1, 61))
    assert np.allclose(second.borrowed[:, 0], 148 + np.arange(1, 61))
    made.manifest = free.model_copy(update={"upper": (150.0,) * 25})
    _, held = cut_forecast_samples(open_raw(path), made, side=16)
    assert held.borrowed.max() == 150, "kept within the joint limits"
    (alone,) = cut_forecast_samples(open_raw(path), made, side=16, limit=1)
    rows = evaluate_sample(made, alone, SamplingTrack.parse(SMALL))
    assert alone.borrowed is None and "shuffled" not in rows


def test_the_single_sample_stands_beside_means_that_do_not_name_it(raw) -> None:
    made = model()
    sample = next(cut_forecast_samples(open_raw(raw), made, side=32))
    assert list(evaluate_sample(made, sample, SamplingTrack.parse({**SMALL, "ensemble": (2,)})))[:2] == [
        "model",
        "mean_of_2",
    ]


def test_other_moments_of_the_same_set_are_told_from_these(raw) -> None:
    shards = open_raw(raw)
    assert identity(shards) == identity(shards) != identity(shards, stride=10)
    assert identity(shards, limit=3) != identity(shards)


def test_a_slower_model_sees_every_second_frame(raw) -> None:
    sample = next(cut_forecast_samples(open_raw(raw), model(hz=15.0), side=32))
    assert sample.actions[:, 0].tolist() == [*range(0, 17, 2), *range(18, 77, 2)]
    assert grey(sample.frames) == pytest.approx(list(range(0, 17, 2)), abs=3)


def test_models_that_the_protocol_does_not_fit_are_rejected(raw) -> None:
    with pytest.raises(BadCheckpoint, match="which span 33"):  # 9 frames at 7.5 Hz
        frames_per_step(model(hz=7.5), 30.0)
    with pytest.raises(BadCheckpoint, match="multiples"):
        frames_per_step(model(hz=20.0), 30.0)
    with pytest.raises(BadActions, match="commands"):
        frames_per_step(model(kind="commands"), 30.0)
    assert frames_per_step(model(hz=7.5, num_past_latents=1, num_future_latents=1), 30.0) == 4


def test_no_moment_crosses_a_cut_or_the_end(raw, tmp_path) -> None:
    (shard,) = open_raw(raw)
    assert sample_starts(shard, 1) == [0, 1, 2, 3, 80, 81, 82, 83]  # 80 - 77 + 1 = 4 of each take
    assert [one.number for one in cut_forecast_samples([shard], model(), side=32, stride=1, limit=3)] == [0, 1, 2]
    with pytest.raises(BadBag, match="a take of 77 frames"):
        list(cut_forecast_samples(open_raw(raw_v2(tmp_path / "short", frames=80, cut=40)), model(), side=32))


def test_moments_resemble_each_other_by_take_and_not_by_shard(tmp_path) -> None:
    # One flat shard of 3 takes, of 160, 80 and 80 frames: two moments of the first, one of each other.
    shards = open_raw(raw_v2(tmp_path / "val", frames=320, cut=(160, 240), step=1))
    samples = list(cut_forecast_samples(shards, model(), side=16))
    assert [(one.name, one.take) for one in samples] == [
        ("val_0_0", 0),
        ("val_0_77", 0),
        ("val_0_160", 1),
        ("val_0_240", 2),
    ]


@pytest.mark.parametrize("family", ["masked", "flow"])
def test_a_mean_is_of_samples_that_differ_and_reach_frame_76_chunk_by_chunk(raw, family) -> None:
    made = model(family)
    sample = next(cut_forecast_samples(open_raw(raw), made, side=32))
    sampling = DRAWN if family == "masked" else Sampling(steps=2)
    means = predict_mean(made, sample, sampling, seed=4, sizes=(1, 2))
    past = made.observe(sample.frames, sample.actions[:9])
    singles = []
    for rollout in made.samples(past, sample.actions[None, 9:], 2, sampling=sampling, seed=4):
        singles.append(made.frames(past, rollout)[0, 59])  # 60 frames ahead: 24 + 24 + 12
    assert np.array_equal(means[1], singles[0])
    assert not np.array_equal(singles[0], singles[1])
    assert np.abs(means[2] - np.mean(singles, axis=0)).max() <= 1


def test_several_equal_samples_are_rejected(raw) -> None:
    made = model()
    sample = next(cut_forecast_samples(open_raw(raw), made, side=32))
    with pytest.raises(BadConfig, match="futures differ"):
        predict_mean(made, sample, Sampling(), 0, (1, 2))
    assert set(predict_mean(made, sample, Sampling(), 0, (1,))) == {1}


@pytest.mark.parametrize("family", ["masked", "flow"])
def test_equal_moments_are_drawn_apart_and_one_moment_always_alike(raw, family) -> None:
    made = model(family)
    sample = next(cut_forecast_samples(open_raw(raw), made, side=32))
    track = SamplingTrack.parse({**SMALL, "sampling": (DRAWN if family == "masked" else Sampling(steps=2)).plain()})
    one, again, other = (evaluate_sample(made, replace(sample, number=number), track) for number in (0, 0, 1))
    assert np.array_equal(one["mean_of_3"], again["mean_of_3"])
    assert not np.array_equal(one["model"], other["model"])


def test_every_row_is_a_frame_of_the_size_judged_and_copy_last_is_what_was_seen(raw) -> None:
    made = model()
    sample = next(cut_forecast_samples(open_raw(raw), made, side=32))
    rows = evaluate_sample(made, sample, SamplingTrack.parse(SMALL))
    assert list(rows) == [
        "model",
        "mean_of_3",
        "mean_of_3 + blur",
        "mean_of_3 + histogram",
        "mean_of_3 + blur + histogram",
        "shuffled",
        "copy_last",
        "copy_last + blur",
        "resized",
    ]
    assert {frame.shape for frame in rows.values()} == {(32, 32, 3)}
    assert np.array_equal(rows["copy_last"], sample.last)
    assert frame_mse(rows["resized"], sample.truth) < 1e-4, "an even grey loses nothing by resizing"


def test_a_run_writes_pictures_and_a_report_and_goes_on_where_it_was_stopped(raw, tmp_path) -> None:
    made, track = model(), SamplingTrack.parse(SMALL)

    def samples():
        return cut_forecast_samples(open_raw(raw), made, side=track.side)

    def stop(done: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_track(made, samples(), track, tmp_path / "out", data="val", progress=stop)
    assert [path.name for path in tmp_path.iterdir()] == ["out.unfinished"]
    with pytest.raises(BadConfig, match="the data it was begun with"):
        run_track(made, samples(), track, tmp_path / "out", data="other")
    with pytest.raises(BadConfig, match="arithmetic"):
        run_track(model(dtype=torch.bfloat16), samples(), track, tmp_path / "out", data="val")
    report = run_track(made, samples(), track, tmp_path / "out", data="val")
    assert report == run_track(made, samples(), track, tmp_path / "whole", data="val")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "whole"]
    assert json.loads((tmp_path / "out/report.json").read_text()) == report and report["moments"] == 2
    numbers = {"psnr_db", "pooled_psnr_db", "ssim", "gain_over", "moments", "takes", "seed"}
    assert {frozenset(row) for row in report["rows"].values()} == {frozenset(numbers)}
    assert set(report["rows"]["model"]["gain_over"]) == {"copy_last", "shuffled"}
    for row in ("mean_of_3", "mean_of_3 + blur"):
        gained = report["rows"][row]["gain_over"]
        assert set(gained) == {"copy_last", "model"} and gained["model"]["low"] is None, "2 takes give no interval"
        above = report["rows"][row]["psnr_db"] - report["rows"]["model"]["psnr_db"]
        assert gained["model"]["mean"] == pytest.approx(above)
    table, card = ((tmp_path / "out" / name).read_text() for name in ("table.md", "MODEL_CARD.md"))
    assert "| mean of 3 above model | " in table and "| model above shuffled actions | " in table and table in card
    assert "2 moments of 2 takes, seed 0" in card and "can do no better" in card
    for name in ("set_0_0", "set_0_80"):
        picture = cv2.imread(str(tmp_path / f"out/predictions/{name}.png"))
        assert picture.shape == (32, 32, 3)


def test_a_row_that_is_not_there_cannot_be_handed_in(raw, tmp_path) -> None:
    made = model()
    track = SamplingTrack.parse({**SMALL, "handed_in": "mean_of_9"})
    with pytest.raises(BadConfig, match="mean_of_3"):
        run_track(made, cut_forecast_samples(open_raw(raw), made, side=32), track, tmp_path / "out", data="val")
    assert not [*tmp_path.iterdir()], "a run that could not begin leaves nothing behind"
    with pytest.raises(BadConfig, match="rising"):
        SamplingTrack.parse({"ensemble": [5, 1]})


def test_blur_keeps_the_mean_and_takes_the_edges() -> None:
    frame = np.zeros((32, 32, 3), np.uint8)
    frame[:, 16:] = 200
    blurred = blur(frame, 2.0)
    assert blurred.mean() == pytest.approx(100, abs=1) and 0 < blurred[16, 15, 0] < 100 < blurred[16, 16, 0] < 200
    assert np.array_equal(blur(frame, 0), frame)


def test_histogram_matching_gives_the_reference_s_colours_and_keeps_the_order() -> None:
    random = np.random.default_rng(0)
    frame = random.integers(0, 100, (32, 32, 3), dtype=np.uint8)
    matched = match_histogram(frame, (frame + 50).astype(np.uint8))
    assert np.array_equal(matched, frame + 50)
    reference = random.integers(30, 220, (32, 32, 3), dtype=np.uint8)
    matched = match_histogram(frame, reference)
    assert np.abs(np.sort(matched, axis=None) - np.sort(reference, axis=None).astype(int)).mean() < 4
    order = np.argsort(frame[..., 0], axis=None, kind="stable")
    assert (np.diff(matched[..., 0].ravel()[order].astype(int)) >= 0).all()
    assert np.array_equal(match_histogram(reference, reference), reference)


def grey(frames: np.ndarray) -> list[float]:
    return frames.mean(axis=(1, 2, 3)).tolist()
