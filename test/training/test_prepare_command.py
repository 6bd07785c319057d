"""`hwm prepare`: from recordings to a store."""

from dataclasses import replace

import pytest
from command import hwm
from recordings import START, TOPICS, lerobot_dataset, real_data, record, run

from hwm_core.data.episodes.store import open_store
from hwm_core.data.robot.manifest import ActionManifest


def prepare(source, store, *options):
    arguments = [source, "--validation-nth", 2, "--robot", "r", "--size", 12, "--out", store, *options]
    return hwm("prepare", *arguments)


def test_a_dataset_is_converted_to_bags_and_prepared(tmp_path, capsys):
    folder, bags, store = lerobot_dataset(tmp_path / "set"), tmp_path / "bags", tmp_path / "store"
    assert hwm("convert", str(folder), "--to", "rosbag2", "--out", str(bags)) == 0
    arguments = [str(bags), "--validation-nth", "3", "--robot", "r", "--size", "12", "--out", str(store)]
    assert hwm("prepare", *arguments) == 2  # 3 divides both 0 and 3: no recording is left for training
    assert "got 0 for training, 2 for validation. List recordings with --validation" in capsys.readouterr().err
    assert prepare(bags, store) == 0
    opened = open_store(store)
    assert [one.name for one in opened.training] == ["set_000003"]
    assert [one.name for one in opened.validation] == ["set_000000"]
    assert isinstance(opened.manifests["states"], ActionManifest)


def test_repeated_frames_are_reported_with_a_rate_without_repeats(tmp_path, capsys):
    for number in (1, 2):
        slow = [replace(one, stamp_ns=START + (one.stamp_ns - START) * 3 // 2) for one in run()]  # 20 Hz
        record(tmp_path / f"bags/run_{number}", slow)
    assert prepare(tmp_path / "bags", tmp_path / "at_30") == 0
    printed = capsys.readouterr().out
    assert (
        "run_1: 19 of 58 frames (33%) repeat the previous frame" in printed
        and "`--rate 20` repeats no frames" in printed
    )
    assert prepare(tmp_path / "bags", tmp_path / "at_15", "--rate", 60, "--frame-skip", 1) == 0
    assert "`--rate 40` repeats no frames" in capsys.readouterr().out  # every second frame of 40 Hz: 20 Hz
    assert prepare(tmp_path / "bags", tmp_path / "at_20", "--rate", 20) == 0
    assert "repeat the previous frame" not in capsys.readouterr().out


def test_without_a_better_rate_a_lower_rate_is_recommended(tmp_path, capsys):
    for number in (1, 2):
        messages = run(90)
        for one in messages:
            if one.topic == TOPICS.image:
                one.content[:] -= one.content % 4 == 3  # every fourth image equals the third
        record(tmp_path / f"bags/run_{number}", messages)
    assert prepare(tmp_path / "bags", tmp_path / "store", "--drop-repeats") == 0
    assert "A lower `--rate` repeats fewer" in capsys.readouterr().out


@pytest.mark.realdata
def test_20_hz_is_recommended_for_gr1(tmp_path, capsys):
    assert prepare(real_data("gr1_sim_picknplace"), tmp_path / "store") == 0
    printed = capsys.readouterr().out
    assert "(33%) repeat the previous frame" in printed and "`--rate 20` repeats no frames" in printed


def test_a_copy_in_validation_is_reported_and_only_stored_episodes_are_counted(tmp_path, capsys):
    for number, start in ((1, 0), (3, 7), (2, 0)):
        shifted = [
            replace(one, content=one.content + start if one.topic == TOPICS.image else one.content) for one in run(10)
        ]
        record(tmp_path / f"bags/run_{number}", shifted)
    (tmp_path / "bags/run_5.mcap").write_bytes(b"")
    assert prepare(tmp_path / "bags", tmp_path / "store") == 1
    said = capsys.readouterr().out
    assert "2 training and 1 validation episodes, 1 skipped" in said
    assert (
        "the validation episode run_2 equals the training episode run_1: remove one" in said
        and "run_3" not in (said.partition("equals")[2])
    )
    assert hwm("verify", tmp_path / "store") == 0
    assert "note: store: the validation episode run_2 equals" in capsys.readouterr().out
