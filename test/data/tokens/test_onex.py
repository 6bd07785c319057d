"""Sets of the 1X World Model Challenge: tokens v2.0 and v1.1, raw v2.0, and their usable windows."""

import json
import os

import numpy as np
import pytest
from onex_sets import raw_v2, tokens_v1, tokens_v2
from recordings import TOPICS

from hwm_core.data.checks.verification import verify_metadata
from hwm_core.data.discover import find_recordings
from hwm_core.data.recording.preprocessing import Preprocessing
from hwm_core.data.robot.manifest import fit_manifest
from hwm_core.data.tokens.onex import open_tokens, read_spec
from hwm_core.data.tokens.onex_joints import EVE_STATES
from hwm_core.data.tokens.windows import TokenWindows
from hwm_core.errors import BadBag

SQUARE = Preprocessing(source_aspect=1.0, height=8, width=8)


def manifest(names):
    """A manifest with mean 0 and standard deviation 1, which keeps the values."""
    values = np.array([[-1.0], [1.0]]).repeat(len(names), axis=1)
    return fit_manifest("eve", "states", names, ["rad"] * len(names), values)


@pytest.mark.parametrize("folders", [False, True])
def test_the_second_axis_of_a_v2_shard_is_time_and_a_partial_clip_is_never_used(tmp_path, folders):
    whole, partial = open_tokens(tokens_v2(tmp_path / "set", folders=folders))
    assert whole.tokens.shape == (3, 3, 32, 32) and whole.names == EVE_STATES and len(EVE_STATES) == 25
    assert whole.valid_starts().tolist() == [0, 1, 2]  # 51 = 3 * 17
    assert partial.tokens.shape == (3, 3, 32, 32)  # 40 frames: the third clip has 6 of its 17
    assert partial.valid_starts().tolist() == [0, 1]


def test_a_clip_that_contains_a_cut_is_never_used(tmp_path):
    (shard,) = open_tokens(tokens_v2(tmp_path / "set", frames=(68,), cut=20))
    assert shard.valid_starts().tolist() == [0, 2, 3]
    assert shard.valid_starts(clips=2).tolist() == [2]
    at_the_border = open_tokens(tokens_v2(tmp_path / "other", frames=(68,), cut=34))[0]
    assert at_the_border.valid_starts().tolist() == [0, 1, 2, 3]
    assert at_the_border.valid_starts(clips=2).tolist() == [0, 2]


def test_a_repeated_segment_number_does_not_join_two_takes(tmp_path):
    (shard,) = open_tokens(tokens_v2(tmp_path / "set", frames=(34,)))
    shard.segments[10:12] = 1  # 0 ... 1 1 ... 0: the clip has a cut although its first and last frame agree
    assert shard.valid_starts().tolist() == [1]


def test_a_window_has_its_latents_and_the_states_of_their_frames(tmp_path):
    windows = TokenWindows(open_tokens(tokens_v2(tmp_path / "set")), manifest(EVE_STATES), latents=6)
    window = windows[1]
    assert window.tokens.shape == (6, 32, 32) and window.tokens[:, 0, 0].tolist() == [1, 1, 1, 2, 2, 2]
    # A model of 6 latents counts 1 + 5 * 8 frames: the single first frame of the second clip stands for 8.
    assert window.actions[:, 24].tolist() == [*range(17, 34), *[34] * 8, *range(35, 51)]
    assert len(windows) == 3  # two of the first shard, one of the second


def test_v1_has_one_grid_for_each_frame_and_all_actions_as_columns(tmp_path):
    (episode,) = open_tokens(tokens_v1(tmp_path / "set"))
    assert (episode.tokens.shape, episode.clip_frames, episode.vocabulary) == ((30, 1, 16, 16), 1, 2**18)
    assert episode.states.shape == (30, 26) and episode.names[:21] == EVE_STATES[:21]
    assert episode.valid_starts(clips=16).tolist() == [12, 13, 14]
    window = TokenWindows([episode], None, latents=16)[0]
    assert window.tokens[:, 3, 4].tolist() == list(range(200_012, 200_028))


@pytest.mark.parametrize("name", ["video_1.bin", "states_1.bin", "segment_idx_1.bin"])
def test_a_truncated_shard_is_rejected_with_the_expected_bytes(tmp_path, name):
    path = tokens_v2(tmp_path / "set")
    whole = (path / name).stat().st_size
    (path / name).write_bytes((path / name).read_bytes()[:-4])
    with pytest.raises(BadBag, match=rf"{name}.*{whole} bytes.*got {whole - 4} bytes"):
        open_tokens(path)
    (path / name).unlink()
    with pytest.raises(BadBag, match=name):
        open_tokens(path)


@pytest.mark.parametrize("name", ["video.bin", "segment_ids.bin", "actions/joint_pos.bin", "actions/neck_desired.bin"])
def test_a_truncated_v1_file_is_rejected(tmp_path, name):
    path = tokens_v1(tmp_path / "set")
    (path / name).write_bytes((path / name).read_bytes()[:-2])
    with pytest.raises(BadBag, match="It was truncated"):
        open_tokens(path)


def test_damaged_metadata_are_rejected(tmp_path):
    path = tokens_v2(tmp_path / "set")
    for text, wanted in (("{", "JSON"), ("[]", "a list"), ('{"hz": 30}', "num_shards")):
        (path / "metadata.json").write_text(text)
        with pytest.raises(BadBag, match=wanted):
            open_tokens(path)


def changed(path, **changes):
    """The set with changed metadata."""
    file = path / "metadata.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))
    return path


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(("num_images", value) for value in (None, "30", -1, True)),
        ("s", 0),
        *(("token_dtype", value) for value in ("float99", "float32", 3)),
        *(("vocab_size", value) for value in ("many", 0)),
        *(("hz", value) for value in (0, "fast", None, float("nan"))),
    ],
)
def test_wrong_metadata_of_a_v1_set_are_rejected_with_the_key(tmp_path, key, value):
    path = changed(tokens_v1(tmp_path / "set"), **{key: value})
    with pytest.raises(BadBag, match=rf"metadata\.json: key `{key}`.*download the set again"):
        open_tokens(path)
    assert [one.level for one in verify_metadata(path)] == ["fault"]
    if key == "vocab_size":
        with pytest.raises(BadBag, match="key `vocab_size`"):
            read_spec(path)


@pytest.mark.parametrize(
    ("key", "value"),
    [("num_shards", 0), ("num_shards", "2"), ("hz", 0), ("hz", "fast"), ("hwm", ["clip_frames"])]
    + [
        (f"hwm.{key}", value)
        for key, value in {
            "clip_frames": 0,
            "stride": 0,
            "dtype": "complex64",
            "shape": [3],
            "tokenizer": {"kind": "mine"},
            "kinds": ["torques"],
            "names": 3,
            "manifests": {"torques": "0"},
            "preprocessing": {"height": 16, "width": "wide"},
            "episodes": "run_1",
        }.items()
    ],
)
def test_wrong_metadata_of_a_v2_set_are_rejected_with_the_key(tmp_path, key, value):
    top, _, inner = key.partition(".")
    path = changed(tokens_v2(tmp_path / "set"), **{top: {inner: value} if inner else value})
    with pytest.raises(BadBag, match=rf"metadata\.json: key `{key}.*tokenise the store again"):
        open_tokens(path)
    with pytest.raises(BadBag, match=rf"key `{key}"):
        read_spec(path)
    assert [one.level for one in verify_metadata(path)] == ["fault"]


def test_a_raw_set_with_a_rate_of_zero_is_rejected(tmp_path):
    with pytest.raises(BadBag, match="key `hz`"):
        find_recordings(changed(raw_v2(tmp_path / "raw"), hz=0), TOPICS)


def test_a_shard_with_a_wrong_number_of_frames_is_rejected(tmp_path):
    path = tokens_v2(tmp_path / "set")
    (path / "metadata_1.json").write_text('{"shard_num_frames": "40"}')
    with pytest.raises(BadBag, match=r"metadata_1\.json: key `shard_num_frames`"):
        open_tokens(path)


def test_nan_states_and_codes_outside_the_vocabulary_are_rejected(tmp_path):
    path = tokens_v2(tmp_path / "set", frames=(17,))
    np.full((1, 3, 32, 32), 64_000, np.int32).tofile(path / "video_0.bin")
    with pytest.raises(BadBag, match="codes 0 to 63999, got 64000"):
        TokenWindows(open_tokens(path), None, latents=3)[0]
    np.full((17, 25), np.nan, np.float32).tofile(path / "states_0.bin")
    with pytest.raises(BadBag, match="NaN"):
        open_tokens(path)


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("name", ["joint_pos", "driving_command", "neck_desired", "r_hand_closure"])
def test_v1_values_that_are_not_finite_are_rejected_with_their_file(tmp_path, name, value):
    file = tokens_v1(tmp_path / "set") / "actions" / f"{name}.bin"
    values = np.fromfile(file, np.float32)
    values[3] = value
    values.tofile(file)
    with pytest.raises(BadBag, match=rf"{name}\.bin: expected finite numbers"):
        open_tokens(tmp_path / "set")


def test_a_raw_shard_is_a_recording_with_cuts_between_its_segments(tmp_path):
    (recording,) = find_recordings(raw_v2(tmp_path / "raw", cut=8), TOPICS)
    episode, report = recording.read(SQUARE)
    assert episode.segments.tolist() == [0] * 8 + [1] * 12 and report.unaligned_frames == 0
    assert episode.states[:, 24].tolist() == list(range(20)) and episode.names == EVE_STATES
    assert np.abs(episode.frames[:, 4, 4, 1].astype(int) - 10 * np.arange(20)).max() <= 4


@pytest.mark.parametrize("filmed", [18, 22])
def test_a_raw_video_of_another_length_than_its_states_is_rejected(tmp_path, filmed):
    (recording,) = find_recordings(raw_v2(tmp_path / "raw", video_frames=filmed), TOPICS)
    with pytest.raises(BadBag, match="expected 20 frames"):
        recording.read(SQUARE)


def test_token_sets_and_damaged_raw_sets_are_rejected_as_recordings(tmp_path):
    with pytest.raises(BadBag, match="expected recordings with images, got tokens"):
        find_recordings(tokens_v2(tmp_path / "set"), TOPICS)
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw/metadata.json").write_text(json.dumps({"num_shards": 0}))
    (tmp_path / "raw/video_0.mp4").write_bytes(b"")
    with pytest.raises(BadBag, match="num_shards"):
        find_recordings(tmp_path / "raw", TOPICS)


def test_mapped_sets_keep_no_file_open(tmp_path):
    before = len(os.listdir("/proc/self/fd"))
    shards = open_tokens(tokens_v2(tmp_path / "set", frames=(17,) * 5))
    assert len(shards) == 5 and len(os.listdir("/proc/self/fd")) == before
