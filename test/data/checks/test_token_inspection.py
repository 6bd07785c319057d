"""Looking at sets of tokens, measuring and verifying them: 1X's, ours, those side by side, and test sets."""

import json

import numpy as np
import pytest
import yaml
from data_commands import run_command
from grey_episodes import episode
from onex_sets import compression_test_v2, raw_v2, tokens_v1, tokens_v2
from recordings import TOPICS
from tokenised import run as tokenised

from hwm_core.data.checks.manifests import measure_manifests
from hwm_core.data.checks.token_inspection import inspect_tokens
from hwm_core.data.checks.verification import verify_metadata
from hwm_core.data.discover import find_recordings
from hwm_core.data.episodes.store import manifest_path
from hwm_core.data.robot.description import Joint, Robot
from hwm_core.data.robot.manifest import fit_manifest
from hwm_core.data.tokens.episodes import TokenEpisode
from hwm_core.data.tokens.onex import open_episodes, open_tokens
from hwm_core.data.tokens.onex_joints import EVE_STATES
from hwm_core.data.tokens.store import manifest_sha256
from hwm_core.errors import BadBag, RobotMismatch


@pytest.fixture
def command(capsys):
    """Status, and what was printed."""

    def run(*words):
        status = run_command(*words)
        told = capsys.readouterr()
        return status, told.out + told.err

    return run


@pytest.fixture
def published(tmp_path):
    """A folder as 1X publishes it: to train on, to judge by, and a test set."""
    tokens_v2(tmp_path / "1x" / "train_v2.0", frames=(51, 40), cut=20, folders=True)
    tokens_v2(tmp_path / "1x" / "val_v2.0", frames=(34,))
    compression_test_v2(tmp_path / "1x" / "test_v2.0", numbers=(0, 7))
    return tmp_path / "1x"


@pytest.fixture
def pair(tmp_path):
    """Two sets of ours with their manifest."""
    values = np.arange(20, dtype=np.float32)
    manifest = fit_manifest("robot", "states", ("a", "b"), ("rad", "rad"), np.stack([values, 2 * values], axis=1))
    sums = {"states": manifest_sha256(manifest)}
    for side in ("training", "validation"):
        list(tokenised([episode(f"run_{side}")], tmp_path / "tokens" / side, manifests=sums))
    manifest_path(tmp_path / "tokens", "states").write_text(yaml.safe_dump(manifest.plain()))
    return tmp_path / "tokens"


def faults(path):
    return [one.text for one in verify_metadata(path) if one.level == "fault"]


def test_clips_codes_takes_and_joints_of_a_set_are_measured(published):
    found = inspect_tokens("set", open_tokens(published / "train_v2.0"))
    assert (found.episodes, found.takes, found.frames, found.frame_rate_hz) == (2, 4, 91, 30)
    assert (found.clips, found.clip_frames, found.grid) == (6, 17, (3, 32, 32))  # 51 and 40 frames
    assert (found.codes_used, found.vocabulary, found.latents) == (3, 64_000, None)  # clip c holds the code c
    # Frames 17 to 33 hold the cut at 20, in both; 40 frames have 6 of the 17 of a third clip.
    assert (found.partial, found.straddling) == (1, 2)
    assert found.remarks()[:2] == ["1 of 6 clips are partial: never used", "2 of 6 clips contain a cut: never used"]
    (states,) = found.joints.values()
    assert [one.name for one in states] == list(EVE_STATES) and (states[0].lower, states[0].upper) == (0, 50)


def shard(states, segments=None, tokens=None, vocabulary=4):
    count = len(states)
    tokens = np.zeros((count, 1, 2, 2), np.int32) if tokens is None else tokens
    segments = np.zeros(count, np.int32) if segments is None else segments
    return TokenEpisode("one", tokens, 1, vocabulary, 30.0, segments, ("a", "b"), states.astype(np.float32))


def test_constant_and_doubtful_joints_of_a_set_are_named_with_their_units():
    t = np.arange(50)
    found = inspect_tokens("set", [shard(np.stack([0.01 * t, 0 * t + 0.5], axis=1))])
    assert found.remarks() == ["states: 1 of 2 dimensions are constant: b"]
    degrees = Robot(name="robot", joints={"a": Joint(unit="deg"), "b": Joint(limits=(-0.4, 0.4))})
    warned = inspect_tokens("set", [shard(np.stack([0.01 * t, 0 * t + 0.5], axis=1))], degrees.joint).remarks()
    assert "a 0 to 0.49: radians for degrees?" in warned[1] and "beyond its limits -0.4 to 0.4" in warned[2]


@pytest.mark.parametrize("cut", [True, False])
def test_from_one_take_to_the_next_no_step_is_doubted(cut):
    t = np.arange(200)
    wave, second = 0.1 * np.sin(t / 20), t >= 100
    states = np.stack([wave + 2 * second, wave], axis=1)
    as_one = inspect_tokens("set", [shard(states, segments=(second & cut).astype(np.int32))])
    assert any("a single step of 2" in remark for remark in as_one.remarks()) is not cut
    apart = inspect_tokens("set", [shard(states[:100]), shard(states[100:])])
    assert apart.takes == 2 and apart.remarks() == []


def test_latents_are_told_by_their_extremes_and_what_is_no_code_is_rejected():
    states = np.zeros((3, 2))
    latents = np.linspace(-2, 3, 24, dtype=np.float16).reshape(3, 1, 2, 2, 2)
    found = inspect_tokens("set", [shard(states, tokens=latents, vocabulary=0)])
    assert (found.latents, found.vocabulary, found.grid) == ((-2, 3), 0, (1, 2, 2, 2))
    with pytest.raises(BadBag, match="codes 0 to 3, got 0 to 4"):
        inspect_tokens("set", [shard(states, tokens=np.array([0, 1, 4] * 4, np.int32).reshape(3, 1, 2, 2))])
    with pytest.raises(BadBag, match="expected episodes, got none"):
        inspect_tokens("set", [])


def test_a_test_set_is_opened_as_episodes_of_one_clip_each(published):
    two = open_episodes(published / "test_v2.0")
    assert [one.name for one in two] == ["test_v2.0_0", "test_v2.0_7"] and two[1].tokens.shape == (1, 3, 32, 32)
    assert two[1].states.shape == (64, 25) and two[1].valid_starts().tolist() == [0]


def test_inspect_reads_a_set_those_side_by_side_and_a_test_set(published, command):
    status, told = command("inspect", published)
    assert status == 0
    assert [line.split()[0].rsplit("/")[-1] for line in told.splitlines() if " episodes, " in line] == [
        "test_v2.0",
        "train_v2.0",
        "val_v2.0",
    ]
    assert "6 of 17 frames: 3 latents of 32x32" in told and "2 of 64000 used" in told
    status, told = command(
        "inspect", published / "val_v2.0", "--dimensions", "--embodiment", "1x_eve", "--sheets", "no"
    )
    assert status == 0 and "1 episodes, 1 takes" in told and "no sheet: tokens hold no images" in told
    assert all(f" {name} " in told for name in EVE_STATES)
    status, told = command("inspect", published / "train_v2.0", "--episodes", 1)
    assert status == 0 and "1 episodes, 2 takes" in told and "1 of 3 clips are partial" in told


def test_inspect_reads_sets_of_ours_and_of_v1_and_tells_of_a_damaged_one(pair, tmp_path, command):
    tokens_v1(tmp_path / "v1")
    status, told = command("inspect", pair, tmp_path / "v1")
    assert status == 0 and "4 of 5 frames: 2 latents of 2x4" in told and "30 of 262144 used" in told
    (pair / "validation" / "video_0.bin").write_bytes(b"cut")
    status, told = command("inspect", pair)
    assert status == 1 and "validation: File" in told and "1 episodes, 1 takes" in told


def test_a_folder_of_recordings_and_tokens_is_read_whole(published, command):
    raw_v2(published / "raw", frames=9)
    status, told = command("inspect", published)
    assert status == 0 and "raw_0  64x64" in told and "val_v2.0" in told
    assert "0 faults" in command("verify", published)[1]


def test_statistics_of_tokens_are_those_of_their_states(published, pair, tmp_path, command):
    out = tmp_path / "eve.yaml"
    assert command("statistics", published / "train_v2.0", "--embodiment", "1x_eve", "--out", out)[0] == 2  # 50 of 0..1
    for name in ("left_hand_closure", "right_hand_closure"):
        column = EVE_STATES.index(name)
        for file in published.rglob("states_*.bin"):
            values = np.fromfile(file, np.float32).reshape(-1, 25)
            values[:, column] /= 100
            values.tofile(file)
    for file in published.rglob("states_*.bin"):
        (np.fromfile(file, np.float32) / 10).tofile(file)
    status, told = command("statistics", published, "--embodiment", "1x_eve", "--out", out)
    assert status == 0 and "states of 1x_eve" in told
    every = [one.states for name in ("test", "train", "val") for one in open_episodes(published / f"{name}_v2.0")]
    said = yaml.safe_load(out.read_text())["states"]
    np.testing.assert_allclose(said["mean"], np.concatenate(every).astype(np.float64).mean(axis=0))
    assert said["units"][-4:] == ["unit", "unit", "m/s", "rad/s"]
    manifests = measure_manifests(
        [one for side in sorted(pair.glob("*/")) for one in open_tokens(side)], Robot(name="r")
    )
    assert set(manifests) == {"states", "commands"} and manifests["commands"].lower[0] == -19


def test_tokens_of_another_order_of_joints_are_measured_in_the_first_one_s_and_of_other_joints_rejected():
    t = np.arange(9.0)
    one = shard(np.stack([t, 10 * t], axis=1))
    other = shard(np.stack([10 * t, t], axis=1))
    other = TokenEpisode(**{**vars(other), "names": ("b", "a")})
    assert measure_manifests([one, other], Robot(name="r"))["states"].upper == (8, 80)
    with pytest.raises(RobotMismatch, match="expected 2 joints, among them b"):
        measure_manifests([one, TokenEpisode(**{**vars(other), "names": ("a", "c")})], Robot(name="r"))


def test_verify_finds_no_fault_in_sets_side_by_side_and_in_a_test_set(published, pair, command):
    assert faults(published) == faults(pair) == faults(published / "test_v2.0") == []
    assert command("verify", published, pair, published / "test_v2.0")[0] == 0


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda path: (path / "states.yaml").write_text("robot: other"), "states.yaml"),
        (lambda path: (path / "states.yaml").unlink(), "states.yaml"),
        (lambda path: (path / "validation" / "metadata.json").unlink(), "got an unfinished set"),
        (lambda path: (path / "validation" / "video_0.bin").write_bytes(b"cut"), "expected 256 bytes"),
    ],
)
def test_verify_tells_each_fault_of_a_pair_once(pair, damage, said, command):
    assert faults(pair) == []
    damage(pair)
    (fault,) = faults(pair)
    assert said in fault
    assert command("verify", pair)[0] == 1


def test_verify_notes_sets_that_training_would_not_take_together(published):
    tokens_v1(published / "train_v1.1")
    (note,) = [one.text for one in verify_metadata(published) if "training needs" in one.text]
    assert note.endswith("this folder has train_v1.1, train_v2.0, val_v2.0") and faults(published) == []


@pytest.mark.parametrize(
    ("name", "values", "said"),
    [
        ("video_7.bin", np.full(3072, 64_000, np.int32), "codes 0 to 63999"),
        ("video_7.bin", np.zeros(9, np.int32), "expected 12288 bytes"),
        ("states_7.bin", np.full(1600, np.nan, np.float32), "NaN"),
        ("states_7.bin", np.zeros(9, np.float32), "expected 6400 bytes"),
    ],
)
def test_verify_finds_what_is_wrong_in_a_test_set(published, name, values, said):
    values.tofile(published / "test_v2.0" / name)
    (fault,) = faults(published / "test_v2.0")
    assert said in fault and faults(published) == [fault]


def test_where_pictures_are_wanted_tokens_of_every_kind_are_rejected_as_what_they_are(published, pair):
    for path in (published, published / "test_v2.0", pair, pair / "training"):
        with pytest.raises(BadBag, match=r"expected recordings with images, got tokens.*training.inspect_data"):
            find_recordings(path, TOPICS)
    for side in ("training", "validation"):
        (pair / side / "metadata.json").unlink()
    for path in (pair, pair / "training"):
        with pytest.raises(BadBag, match=r"an unfinished token set.*training.tokenise_data"):
            find_recordings(path, TOPICS)


@pytest.mark.parametrize("folders", [True, False])
def test_a_set_that_lost_its_metadata_json_is_no_test_set_and_says_what_is_missing(tmp_path, folders, command):
    path = tokens_v2(tmp_path / "train_v2.0", folders=folders)
    (path / "metadata.json").unlink()
    (fault,) = faults(path)
    assert f"Set {path}: expected its metadata.json, got no such file" in fault
    for other in [*path.glob("metadata_*.json"), *path.glob("metadata/*")]:
        other.unlink()
    assert faults(path) == [fault] and faults(tmp_path) == [fault]
    status, told = command("inspect", path)
    assert status == 1 and "expected its metadata.json" in told
    raw = raw_v2(tmp_path / "raw", frames=9)
    (raw / "metadata.json").unlink()
    assert f"fault: raw: Set {raw}: expected its metadata.json" in command("verify", raw)[1]


@pytest.mark.parametrize("make", [tokens_v2, raw_v2])
def test_counts_of_metadata_json_that_are_not_those_on_disk_are_noted(tmp_path, command, make):
    path = make(tmp_path / "set")
    held = 91 if make is tokens_v2 else 20
    said = {"num_shards": 2 if make is tokens_v2 else 1, "hz": 30, "num_images": held}
    (path / "metadata.json").write_text(json.dumps(said))
    assert not [one for one in verify_metadata(path) if "metadata.json has" in one.text]
    (path / "metadata.json").write_text(json.dumps({**said, "num_images": held + 9}))
    wrong = f"metadata.json has num_images {held + 9}, but the shards have {held}, which is used"
    more = "metadata.json has num_shards 1, but there are 2 files: the others are not read"
    for verb in ("verify", "inspect"):
        status, told = command(verb, path)
        assert status == 0 and wrong in told and more not in told
    video = next(path.rglob("video_0.*"))
    video.with_stem("video_1").write_bytes(video.read_bytes())
    (path / "metadata.json").write_text(json.dumps({"num_shards": 1}))
    for verb in ("verify", "inspect"):
        assert more in command(verb, path)[1]
