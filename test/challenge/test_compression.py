"""The compression track: predictions, scores, the archive, and resuming."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from grid_samples import TOY, V2, random_sample, token_checkpoint
from onex_sets import tokens_v2

from hwm_core.challenge.compression import compress, shuffled_actions
from hwm_core.challenge.compressor import Compressor
from hwm_core.challenge.grid_samples import open_samples
from hwm_core.errors import BadConfig
from hwm_core.sampling.config import Sampling

FAMILIES = pytest.mark.parametrize("family", ["masked", "st_transformer"])
SUFFIXES = (".MODEL_CARD.md", ".json", ".table.md", ".zip")


@FAMILIES
def test_samples_with_known_tokens_are_scored_under_every_condition_and_beside_baselines(family, tmp_path) -> None:
    one = token_checkpoint(family=family, **TOY)
    samples = [random_sample(one, number=number) for number in range(4)]
    report = compress(Compressor(one, top=20), samples, tmp_path / "out.zip", batch=3).plain()
    assert report == json.loads((tmp_path / "out.json").read_text())
    assert (report["samples"], report["tokens"]) == (4, 4 * 3 * 2 * 2)
    assert report["baselines"]["uniform"] == pytest.approx(math.log(20))
    conditions = report["conditions"]
    for numbers in conditions.values():  # all codes are ranked, so the Top-k CE is the CE
        assert numbers["top_20_ce"] == pytest.approx(numbers["ce"], rel=1e-5) and numbers["hit_rate"] == 1.0
        assert (numbers["samples"], numbers["takes"], numbers["seed"]) == (4, 2, 0)
    for other in ("none", "teacher_forced", "shuffled"):
        assert conditions["model"]["ce"] != conditions[other]["ce"], other
    ce = {condition: numbers["top_20_ce"] for condition, numbers in conditions.items()} | report["baselines"]
    for other in ("shuffled", "none", "copy_last"):
        assert report["gain_over"][other]["mean"] == pytest.approx(ce[other] - ce["model"])
        assert report["gain_over"][other]["low"] is None, "2 takes give no interval"
    # The cost of copying with the best probability p: the entropy of p, and log 19 for each token that changes.
    p = report["baselines"]["copy_last_accuracy"]
    assert ce["copy_last"] == pytest.approx(-p * math.log(p) - (1 - p) * math.log((1 - p) / 19))
    table = (tmp_path / "out.table.md").read_text()
    assert "| 4 samples of 2 takes, seed 0 | Top-20 CE |" in table and "model below shuffled actions | " in table
    card = (tmp_path / "out.MODEL_CARD.md").read_text()
    assert table in card and "Robot 1x_eve" in card and "Fewer than 5 takes" in card


def test_shuffled_actions_are_the_motion_of_another_take_from_the_own_state_within_the_joint_limits() -> None:
    one = token_checkpoint(**TOY)
    samples = [random_sample(one, number) for number in range(4)]  # two takes of two samples
    past, lower, upper = one.model.config.past_frames, one.manifest.lower, one.manifest.upper
    for sample, shuffled in zip(samples, shuffled_actions(samples, Compressor(one)), strict=True):
        assert np.array_equal(shuffled.actions[:past], sample.actions[:past])
        own = sample.actions[past - 1]
        donors = [other for other in samples if other.take != sample.take]
        played = [np.clip(own + other.actions[past:] - other.actions[past - 1], lower, upper) for other in donors]
        assert any(np.allclose(shuffled.actions[past:], each, atol=1e-6) for each in played)
    assert shuffled_actions(samples[:1], Compressor(one)) == []


def test_intervals_are_over_takes_so_a_single_shard_gives_intervals(tmp_path) -> None:
    # One shard of six takes with 4, 2, 2, 2, 2 and 2 clips, as in 1X's validation set. A window is two clips.
    path = tokens_v2(tmp_path / "val", frames=(238, 34), cut=(68, 102, 136, 170, 204))
    samples = open_samples(path, token_checkpoint(**V2))
    # The second shard has fewer than 68 frames and so no cut: it is one more take.
    assert [sample.take for sample in samples] == [0, 0, 1, 2, 3, 4, 5, 6]
    one = token_checkpoint(**TOY)
    of_toy = [replace(random_sample(one, number), take=sample.take) for number, sample in enumerate(samples)]
    report = compress(Compressor(one, top=20), of_toy, tmp_path / "out.zip")
    assert report.counts.takes == 7
    for gain in report.gain_over.values():
        assert gain.low < gain.mean < gain.high


@FAMILIES
def test_a_stopped_run_resumes_and_writes_the_same_bytes(family, tmp_path) -> None:
    one = token_checkpoint(family=family, **TOY)
    samples = [random_sample(one, number=number) for number in range(4)]
    compressor = Compressor(one, sampling=Sampling(parallel=False, temperature=1.0, order="random"), top=20)
    whole = compress(compressor, samples, tmp_path / "whole.zip", batch=2)

    def stop(done: int, of: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compress(compressor, samples, tmp_path / "part.zip", batch=2, progress=stop)
    assert not (tmp_path / "part.zip").exists()
    begun = {path.name for path in (tmp_path / "part.zip.unfinished").iterdir()}
    assert begun == {"settings.json", "lock", "0.npz", "0.json", "1.npz", "1.json"}
    with pytest.raises(BadConfig, match="the seed it was started with"):
        compress(
            Compressor(one, sampling=compressor.sampling, top=20, seed=1),
            samples,
            tmp_path / "part.zip",
            batch=2,
        )
    assert compress(compressor, samples, tmp_path / "part.zip", batch=2) == whole
    assert (tmp_path / "part.zip").read_bytes() == (tmp_path / "whole.zip").read_bytes()
    written = [f"{name}{suffix}" for name in ("part", "whole") for suffix in SUFFIXES]
    assert sorted(path.name for path in tmp_path.iterdir()) == written
    with pytest.raises(BadConfig, match="one that exists"):
        compress(compressor, samples, tmp_path / "part.zip", batch=2)
