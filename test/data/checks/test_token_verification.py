"""Verification of token sets: 1X's, hwm's, pairs and test sets."""

import json

import numpy as np
import pytest
from onex_sets import raw_v2, tokens_v1, tokens_v2

from hwm_core.data.checks.verification import verify_metadata


def faults(path):
    return [one.text for one in verify_metadata(path) if one.level == "fault"]


def test_verify_finds_no_fault_in_several_sets_and_in_a_test_set(published, pair, command):
    assert faults(published) == faults(pair) == faults(published / "test_v2.0") == []
    assert command("verify", published, pair, published / "test_v2.0")[0] == 0


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: (path / "states.yaml").write_text("robot: other"), "states.yaml"),
        (lambda path: (path / "states.yaml").unlink(), "states.yaml"),
        (lambda path: (path / "validation" / "metadata.json").unlink(), "got an unfinished set"),
        (lambda path: (path / "validation" / "video_0.bin").write_bytes(b"cut"), "expected 256 bytes"),
    ],
)
def test_verify_reports_each_fault_of_a_pair_once(pair, damage, message, command):
    assert faults(pair) == []
    damage(pair)
    (fault,) = faults(pair)
    assert message in fault
    assert command("verify", pair)[0] == 1


def test_verify_notes_sets_that_cannot_be_trained_on_together(published):
    tokens_v1(published / "train_v1.1")
    (note,) = [one.text for one in verify_metadata(published) if "training needs" in one.text]
    assert note.endswith("this folder has train_v1.1, train_v2.0, val_v2.0") and faults(published) == []


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("video_7.bin", np.full(3072, 64_000, np.int32), "codes 0 to 63999"),
        ("video_7.bin", np.zeros(9, np.int32), "expected 12288 bytes"),
        ("states_7.bin", np.full(1600, np.nan, np.float32), "NaN"),
        ("states_7.bin", np.zeros(9, np.float32), "expected 6400 bytes"),
    ],
)
def test_verify_finds_the_faults_of_a_test_set(published, name, values, message):
    values.tofile(published / "test_v2.0" / name)
    (fault,) = faults(published / "test_v2.0")
    assert message in fault and faults(published) == [fault]


@pytest.mark.parametrize("folders", [True, False])
def test_a_set_without_metadata_json_is_not_taken_for_a_test_set(tmp_path, folders, command):
    path = tokens_v2(tmp_path / "train_v2.0", folders=folders)
    (path / "metadata.json").unlink()
    (fault,) = faults(path)
    assert f"Set {path}: expected its metadata.json, got no such file" in fault
    for other in [*path.glob("metadata_*.json"), *path.glob("metadata/*")]:
        other.unlink()
    assert faults(path) == [fault] and faults(tmp_path) == [fault]
    status, output = command("inspect", path)
    assert status == 1 and "expected its metadata.json" in output
    raw = raw_v2(tmp_path / "raw", frames=9)
    (raw / "metadata.json").unlink()
    assert f"fault: raw: Set {raw}: expected its metadata.json" in command("verify", raw)[1]


@pytest.mark.parametrize("make", [tokens_v2, raw_v2])
def test_counts_in_metadata_json_that_differ_from_the_files_are_noted(tmp_path, command, make):
    path = make(tmp_path / "set")
    held = 91 if make is tokens_v2 else 20
    metadata = {"num_shards": 2 if make is tokens_v2 else 1, "hz": 30, "num_images": held}
    (path / "metadata.json").write_text(json.dumps(metadata))
    assert not [one for one in verify_metadata(path) if "metadata.json has" in one.text]
    (path / "metadata.json").write_text(json.dumps({**metadata, "num_images": held + 9}))
    wrong = f"metadata.json has num_images {held + 9}, but the shards have {held}, which is used"
    more = "metadata.json has num_shards 1, but there are 2 files: the others are not read"
    for verb in ("verify", "inspect"):
        status, output = command(verb, path)
        assert status == 0 and wrong in output and more not in output
    video = next(path.rglob("video_0.*"))
    video.with_stem("video_1").write_bytes(video.read_bytes())
    (path / "metadata.json").write_text(json.dumps({"num_shards": 1}))
    for verb in ("verify", "inspect"):
        assert more in command(verb, path)[1]
