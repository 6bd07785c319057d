"""Which samples of a set are used by the compression track, and which sets do not fit a model."""

import json
import math
from dataclasses import replace

import pytest
from grid_samples import V1, V2, token_checkpoint
from onex_sets import compression_test_v2, tokens_v1, tokens_v2

from hwm_core.challenge.compression import compress
from hwm_core.challenge.compressor import Compressor
from hwm_core.challenge.grid_samples import open_samples
from hwm_core.data.tokens.onex import open_tokens
from hwm_core.data.tokens.onex_metadata import COSMOS
from hwm_core.errors import BadBag, BadCheckpoint, BadConfig


def test_a_test_sample_keeps_its_number_and_uses_the_states_of_its_34_frames(tmp_path) -> None:
    samples = open_samples(compression_test_v2(tmp_path / "test", numbers=(2, 11)), token_checkpoint(**V2))
    assert [(sample.number, sample.past.shape, sample.truth) for sample in samples] == [
        (2, (3, 32, 32), None),
        (11, (3, 32, 32), None),
    ]
    assert samples[1].actions.shape == (41, 25)  # frames as the model counts them: 1 + 5 * 8


def test_partial_clips_and_clips_across_a_cut_are_not_used(tmp_path) -> None:
    one = token_checkpoint(**V2)
    # 125 frames are seven whole clips and 6 frames. The cut at frame 20 is inside clip 1.
    samples = open_samples(tokens_v2(tmp_path / "val", frames=(125,), cut=20), one)
    # The tokens of a clip are its number. The windows are clips 2 and 3, and clips 4 and 5; clip 6 has no partner.
    assert [(sample.past[0, 0, 0], sample.truth[0, 0, 0]) for sample in samples] == [(2, 3), (4, 5)]
    # Frame t has state t. The first grid of the second clip is one frame, which the model counts eight times.
    counted = [*range(17), *[17] * 8, *range(18, 34)]
    assert samples[0].actions[:, 7].tolist() == [34 + frame for frame in counted]
    with pytest.raises(BadBag, match="without a cut"):
        open_samples(tokens_v2(tmp_path / "short", frames=(51,), cut=20), one)


@pytest.mark.parametrize("family", ["masked", "st_transformer"])
def test_frames_of_v1_are_skipped_to_match_the_frame_rate_of_the_model(family, tmp_path) -> None:
    path = tokens_v1(tmp_path / "val", frames=40, cut=12)
    names = open_tokens(path)[0].names
    slow = token_checkpoint(names, hz=10.0, family=family, **V1)
    samples = open_samples(path, slow)
    # Frame t has code 200,000 + t. A window spans 10 frames. The first take is frames 0 to 11, so windows start at 0,
    # 12 and 22.
    assert [(int(s.past[0, 0, 0]), int(s.truth[0, 0, 0])) for s in samples] == [
        (200_000, 200_009),
        (200_012, 200_021),
        (200_022, 200_031),
    ]
    assert samples[1].actions[:, 3].tolist() == [12, 15, 18, 21]
    report = compress(Compressor(slow), samples[:1], tmp_path / "out.zip")
    assert report.uniform == pytest.approx(math.log(2**18))
    with pytest.raises(BadCheckpoint, match="30 Hz"):
        open_samples(path, token_checkpoint(names, hz=7.0, **V1))


def test_models_of_another_shape_are_rejected(tmp_path) -> None:
    path = tokens_v2(tmp_path / "val")
    for changes in ({"num_past_latents": 2}, {"grid": [16, 16]}, {"levels": [8, 8, 8]}):
        with pytest.raises(BadCheckpoint, match="num_past_latents"):
            open_samples(path, token_checkpoint(**{**V2, **changes}))


def test_a_set_of_another_tokenizer_is_rejected(tmp_path) -> None:
    path = tokens_v2(tmp_path / "val")
    metadata = json.loads((path / "metadata.json").read_text())
    tokenizer = COSMOS.model_copy(update={"kind": "causal", "sha256": "1" * 64})
    (path / "metadata.json").write_text(json.dumps({**metadata, "hwm": {"tokenizer": tokenizer.plain()}}))
    one = token_checkpoint(**V2)
    for codes in (tokenizer, COSMOS):  # the sha256 of COSMOS is unknown
        assert open_samples(path, replace(one, metadata={"tokenizer_spec": codes.plain()}))
    other = tokenizer.model_copy(update={"sha256": "2" * 64})
    with pytest.raises(BadConfig, match=f"expected sha256 {'2' * 64}, got sha256 {'1' * 64}. Use a checkpoint trained"):
        open_samples(path, replace(one, metadata={"tokenizer_spec": other.plain()}))
    coarse = COSMOS.model_copy(update={"spatial_factor": 16})
    with pytest.raises(BadConfig, match="spatial_factor 16"):
        open_samples(compression_test_v2(tmp_path / "test"), replace(one, metadata={"tokenizer_spec": coarse.plain()}))
