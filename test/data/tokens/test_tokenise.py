"""Tokenising episodes in the format of the 1X challenge."""

import json

import numpy as np
import pytest
import recordings
import torch
from command import hwm
from grey_episodes import PREPROCESSING, episode
from tokenised import Mean, tokenised

from hwm_core.data.episodes.store import open_store, write_episode
from hwm_core.data.tokens.onex import open_tokens
from hwm_core.data.tokens.store import open_token_store
from hwm_core.errors import BadBag, BadConfig
from hwm_core.tokenizers import build_tokenizer
from hwm_core.world_model.checkpoint import save_tokenizer


def contents(folder):
    return {file.name: file.read_bytes() for file in sorted(folder.iterdir())}


@pytest.mark.parametrize("kind", ["states", "commands"])
def test_in_hwm_sets_only_a_whole_column_may_be_nan(tmp_path, kind):
    list(tokenised([episode("run_1", lengths=(10,))], tmp_path / "set"))
    file = tmp_path / "set" / f"{kind}_0.bin"
    values = np.fromfile(file, np.float32).reshape(10, -1)
    values[:, 1] = np.nan  # a joint that this robot lacks
    values.tofile(file)
    (lacking,) = open_tokens(tmp_path / "set")
    assert np.isnan(getattr(lacking, kind)[:, 1]).all()
    for column, value in ((0, np.nan), (0, np.inf), (1, np.inf)):
        bad = values.copy()
        bad[2, column] = value
        bad.tofile(file)
        with pytest.raises(BadBag, match=rf"{kind}_0\.bin: expected finite numbers"):
            open_tokens(tmp_path / "set")


def test_a_tokenised_set_has_complete_clips_with_their_joint_values(tmp_path):
    outcomes = list(tokenised([episode("run_1", lengths=(12, 4, 6)), episode("run_2")], tmp_path / "set"))
    assert [(one.name, one.clips, one.left_out) for one in outcomes] == [("run_1", 3, 7), ("run_2", 4, 0)]
    first, second = open_tokens(tmp_path / "set")
    # 12 frames hold two clips of 5, 4 none, 6 one: it starts at frame 16.
    assert first.states[:, 0].tolist() == [*range(10), *range(16, 21)]
    assert first.commands[:, 0].tolist() == [-t for t in (*range(10), *range(16, 21))]
    assert first.tokens[:, :, 0, 0].tolist() == [[0, 2], [5, 8], [16, 18]]  # 2.5 rounds to even
    assert (first.clip_frames, first.vocabulary, first.names, first.name) == (5, 256, ("a", "b"), "run_1")
    assert first.valid_starts().tolist() == [0, 1, 2] and first.valid_starts(clips=2).tolist() == [0]
    assert len(second.tokens) == 4


def test_actions_that_an_episode_lacks_are_not_in_the_set(tmp_path):
    list(tokenised([episode("run_1"), episode("run_2", commands=False)], tmp_path / "set"))
    assert [one.commands for one in open_tokens(tmp_path / "set")] == [None, None]


def test_an_interrupted_run_resumes_to_the_same_bytes(tmp_path):
    episodes = [episode(f"run_{number}", lengths=(20,)) for number in range(3)]
    list(tokenised(episodes, tmp_path / "whole"))
    interrupted = tokenised(episodes, tmp_path / "again")
    next(interrupted)
    interrupted.close()
    (tmp_path / "again" / "video_1.bin").write_bytes(b"half")  # a killed process leaves no metadata
    assert not (tmp_path / "again" / "metadata.json").exists()
    tokenizer = Mean()
    outcomes = list(tokenised(episodes, tmp_path / "again", tokenizer))
    assert [one.existing for one in outcomes] == [True, False, False] and tokenizer.calls == 4
    assert contents(tmp_path / "again") == contents(tmp_path / "whole")


def test_an_error_leaves_no_partial_file(tmp_path):
    class Failing(Mean):
        def encode(self, frames):
            if self.calls == 1:
                raise RuntimeError("no memory")
            return super().encode(frames)

    with pytest.raises(RuntimeError):
        list(tokenised([episode()], tmp_path / "set", Failing()))
    assert "video_0.bin" not in contents(tmp_path / "set") and not list((tmp_path / "set").glob(".*"))


def test_a_set_has_one_tokenizer_and_one_list_of_episodes(tmp_path):
    list(tokenised([episode()], tmp_path / "set"))
    with pytest.raises(BadConfig, match="the tokenizer it was started with"):
        list(tokenised([episode()], tmp_path / "set", sha256="def"))
    with pytest.raises(BadConfig, match="the episodes it was started with"):
        list(tokenised([episode("other")], tmp_path / "set"))


KEYS = [
    "clip_frames",
    "stride",
    "dtype",
    "precision",
    "tokenizer",
    "names",
    "kinds",
    "manifests",
    "preprocessing",
    "episodes",
]


@pytest.mark.parametrize("key", KEYS)
def test_a_set_started_with_another_setting_is_rejected_with_its_name(tmp_path, key):
    list(tokenised([episode()], tmp_path / "set"))
    before = contents(tmp_path / "set")
    file = tmp_path / "set" / "tokenise.json"
    settings = json.loads(file.read_text())
    assert sorted(settings) == sorted(KEYS)
    file.write_text(json.dumps({**settings, key: "another"}))
    with pytest.raises(BadConfig, match=rf"expected the {key} it was started with.*{key}.* in place of "):
        list(tokenised([episode()], tmp_path / "set"))
    file.write_text(json.dumps(settings, indent=1) + "\n")
    assert contents(tmp_path / "set") == before


@pytest.mark.parametrize(
    ("key", "changes"),
    [
        ("clip_frames", {"latents": 3}),
        ("stride", {"stride": 2}),
        ("precision", {"precision": "bfloat16"}),
        ("manifests", {"manifests": {"states": "def"}}),
        ("preprocessing", {"preprocessing": PREPROCESSING.model_copy(update={"source_aspect": 1.5})}),
    ],
)
def test_a_set_resumes_only_with_the_same_options_manifests_and_camera(tmp_path, key, changes):
    given = {"manifests": {"states": "abc"}, "stride": 1, "precision": "float32"}
    list(tokenised([episode()], tmp_path / "set", **given))
    list(tokenised([episode()], tmp_path / "set", **given))
    with pytest.raises(BadConfig, match=f"expected the {key} it was started with"):
        list(tokenised([episode()], tmp_path / "set", **{**given, **changes}))


@pytest.mark.parametrize("text", ["", '{"clip_frames": 5, "str', "[]"])
def test_truncated_progress_files_are_rejected_with_their_path(tmp_path, text):
    list(tokenised([episode()], tmp_path / "set"))
    for name, remedy in (("metadata_0.json", "Remove it, and run again"), ("tokenise.json", "Use another folder")):
        (tmp_path / "set" / name).write_text(text)
        with pytest.raises(BadBag, match=rf"{name}: expected a JSON object.*{remedy}"):
            list(tokenised([episode()], tmp_path / "set"))


def test_a_truncated_shard_is_made_again_after_its_metadata_are_removed(tmp_path):
    list(tokenised([episode()], tmp_path / "set"))
    before = contents(tmp_path / "set")
    (tmp_path / "set" / "metadata_0.json").unlink()
    list(tokenised([episode()], tmp_path / "set"))
    assert contents(tmp_path / "set") == before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--batch 0", "key `batch`: expected a value greater than or equal to 1, got 0"),
        ("--world-size 0", "key `world_size`"),
        ("--rank 5 --world-size 2", "key `rank`: expected less than the world size, 2, got 5"),
        ("--rank -1", "key `rank`"),
        ("--stride 0", "key `stride`"),
        ("--stride -1", "key `stride`"),
        ("--latents 0", "key `latents`"),
    ],
)
def test_impossible_options_are_rejected_before_anything_is_read(tmp_path, capsys, options, message):
    words = ["nowhere", "--tokenizer", "nowhere", "--out", str(tmp_path / "set"), *options.split()]
    assert hwm("tokenize", *words) == 2
    assert message in capsys.readouterr().err and not (tmp_path / "set").exists()


def test_the_files_have_the_sizes_that_the_1x_reader_expects(tmp_path):
    list(tokenised([episode(lengths=(20,))], tmp_path / "set"))
    top = json.loads((tmp_path / "set/metadata.json").read_text())
    shard = json.loads((tmp_path / "set/metadata_0.json").read_text())
    assert (top["num_shards"], top["num_images"], top["hz"], shard["shard_num_frames"]) == (1, 20, 30.0, 20)
    assert np.fromfile(tmp_path / "set/video_0.bin", np.int32).size == 4 * 2 * 2 * 4
    assert np.fromfile(tmp_path / "set/segment_idx_0.bin", np.int32).size == 20


def test_the_command_tokenises_both_splits_and_verify_accepts_the_sets(tmp_path, capsys):
    write_episode(tmp_path / "store" / "training", episode("run_1"), PREPROCESSING)
    write_episode(tmp_path / "store" / "validation", episode("run_2", lengths=(6,)), PREPROCESSING)
    torch.manual_seed(0)
    config = {"kind": "causal", "temporal_factor": 4, "spatial_factor": 4, "levels": [4, 4], "width": 16}
    save_tokenizer(tmp_path / "tokenizer", build_tokenizer({**config, "encoder_blocks": 1, "decoder_blocks": 1}))
    out = tmp_path / "tokens"
    arguments = [tmp_path / "store", "--tokenizer", tmp_path / "tokenizer", "--latents", 2, "--out", out]
    assert hwm("tokenize", *map(str, arguments)) == 0
    assert "4 clips of 1 episodes; 0 frames fill no clip" in capsys.readouterr().out
    (shard,) = open_tokens(out / "training")
    assert shard.tokens.shape == (4, 2, 2, 2) and shard.vocabulary == 16
    both = [str(out / "training"), str(out / "validation")]
    assert hwm("verify", *both) == 0
    np.full(64, 99, np.int32)[: shard.tokens.size].tofile(out / "training" / "video_0.bin")
    assert hwm("verify", *both) == 1
    assert "codes 0 to 15" in capsys.readouterr().out


def test_a_missing_joint_is_nan_in_the_set_and_a_single_nan_is_rejected(tmp_path):
    one = episode("run_1")
    one.states[:, 1] = np.nan
    list(tokenised([one], tmp_path / "set"))
    (shard,) = open_tokens(tmp_path / "set")
    assert np.isnan(shard.states[:, 1]).all() and np.isfinite(shard.states[:, 0]).all()
    shard.states[3, 0] = np.nan
    shard.states.tofile(tmp_path / "set" / "states_0.bin")
    with pytest.raises(BadBag, match="expected finite numbers, got NaN"):
        open_tokens(tmp_path / "set")


def test_several_stores_cannot_be_tokenised_into_one_set(tmp_path, capsys):
    torch.manual_seed(0)
    config = {"kind": "causal", "spatial_factor": 4, "levels": [4, 4], "width": 16}
    save_tokenizer(tmp_path / "codes", build_tokenizer({**config, "encoder_blocks": 1, "decoder_blocks": 1}))
    words = ["one", "two", "--tokenizer", str(tmp_path / "codes"), "--out", str(tmp_path / "tokens")]
    assert hwm("tokenize", *words) == 2
    assert "expected one store, or recordings with --prepare, got one, two" in capsys.readouterr().err


def test_one_command_prepares_and_tokenises_recordings_and_resumes(tmp_path, capsys):
    for number in range(3):
        recordings.record(tmp_path / f"bags/run_{number}", recordings.run(12))
    config = {"kind": "causal", "temporal_factor": 4, "spatial_factor": 4, "levels": [4, 4], "width": 16}
    save_tokenizer(tmp_path / "codes", build_tokenizer({**config, "encoder_blocks": 1, "decoder_blocks": 1}))
    out = tmp_path / "tokens"

    def tokenise_them(*more: str) -> int:
        words = [str(tmp_path / "bags"), "--tokenizer", str(tmp_path / "codes"), "--latents", "2"]
        words += ["--stride", "1", "--out", str(out), *more]
        prepare = ["--prepare", "--robot", "r", "--size", "12", "--validation-nth", "3"]
        return hwm("tokenize", *words, *prepare)

    assert tokenise_them("--rank", "0", "--world-size", "2") == 2
    assert "Prepare with one process first" in capsys.readouterr().err and not out.exists()
    assert tokenise_them() == 0
    found = open_token_store(out)
    assert [one.name for one in found.training] == ["run_1", "run_2"] and found.manifests["states"].robot == "r"
    assert open_store(out / "store").preprocessing.height == 12
    before = {path: path.read_bytes() for path in out.rglob("*.bin")}
    assert tokenise_them() == 0
    assert {path: path.read_bytes() for path in out.rglob("*.bin")} == before
