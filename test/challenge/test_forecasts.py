"""The predicted frames of the sampling track under every condition."""

from dataclasses import replace

import numpy as np
import pytest
from forecast_models import RANDOM, SMALL, eve_model, two_takes

from hwm_core.challenge.forecast_samples import cut_forecast_samples
from hwm_core.challenge.forecasts import SamplingTrack, forecast, predict_means
from hwm_core.data.formats.onex_raw import open_raw
from hwm_core.errors import BadConfig
from hwm_core.metrics.psnr import frame_mse
from hwm_core.sampling.config import Sampling


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    return two_takes(tmp_path_factory.mktemp("raw"))


def test_a_single_sampled_future_is_always_included(raw) -> None:
    made = eve_model()
    sample = next(cut_forecast_samples(open_raw(raw), made, side=32))
    frames = forecast(made, sample, SamplingTrack.parse({**SMALL, "ensemble": (2,)}))
    assert list(frames)[:2] == ["model", "mean_of_2"]


@pytest.mark.parametrize("family", ["masked", "flow", "st_transformer"])
def test_a_mean_is_over_different_futures_that_are_rolled_out_to_frame_76(raw, family) -> None:
    made = eve_model(family)
    sample = next(cut_forecast_samples(open_raw(raw), made, side=32))
    sampling = Sampling(steps=2) if family == "flow" else RANDOM
    means = predict_means(made, sample, sampling, seed=4, sizes=(1, 2))
    past = made.observe(sample.frames, sample.actions[:9])
    singles = []
    for rollout in made.samples(past, sample.actions[None, 9:], 2, sampling=sampling, seed=4):
        singles.append(made.frames(past, rollout)[0, 59])  # 60 frames ahead: 24 + 24 + 12
    assert np.array_equal(means[1], singles[0])
    assert not np.array_equal(singles[0], singles[1])
    assert np.abs(means[2] - np.mean(singles, axis=0)).max() <= 1


def test_several_equal_futures_are_rejected(raw) -> None:
    made = eve_model()
    sample = next(cut_forecast_samples(open_raw(raw), made, side=32))
    with pytest.raises(BadConfig, match="futures differ"):
        predict_means(made, sample, Sampling(), 0, (1, 2))
    assert set(predict_means(made, sample, Sampling(), 0, (1,))) == {1}


@pytest.mark.parametrize("family", ["masked", "flow", "st_transformer"])
def test_a_sample_has_a_seed_of_its_own_and_repeats_exactly(raw, family) -> None:
    made = eve_model(family)
    sample = next(cut_forecast_samples(open_raw(raw), made, side=32))
    track = SamplingTrack.parse({**SMALL, "sampling": (Sampling(steps=2) if family == "flow" else RANDOM).plain()})
    one, again, other = (forecast(made, replace(sample, number=number), track) for number in (0, 0, 1))
    assert np.array_equal(one["mean_of_3"], again["mean_of_3"])
    assert not np.array_equal(one["model"], other["model"])


def test_every_condition_is_a_frame_of_the_target_size(raw) -> None:
    made = eve_model()
    sample = next(cut_forecast_samples(open_raw(raw), made, side=32))
    frames = forecast(made, sample, SamplingTrack.parse(SMALL))
    assert list(frames) == [
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
    assert {frame.shape for frame in frames.values()} == {(32, 32, 3)}
    assert np.array_equal(frames["copy_last"], sample.last)
    assert frame_mse(frames["resized"], sample.truth) < 1e-4, "resizing keeps a uniform grey"
