"""`hwm inspect` proposes how to prepare what it saw, as a command that works as it is printed."""

import shlex
from dataclasses import replace

import pytest
from command import hwm
from recordings import START, TOPICS, real_data, record, run

from hwm_core.data.checks.inspection import inspect
from hwm_core.data.checks.proposal import propose
from hwm_core.data.discover import find_recordings


def proposal(folder):
    found = find_recordings(folder, TOPICS)
    return propose([inspect(one) for one in found], [one.number for one in found])


def value(options, name):
    return options[options.index(name) + 1]


def test_a_camera_of_20_hz_is_read_at_20_hz_and_cropped_with_its_loss_stated(tmp_path):
    slow = [replace(one, stamp_ns=START + (one.stamp_ns - START) * 3 // 2) for one in run()]  # 20 Hz, 32 x 24 pixels
    record(tmp_path / "run_1", slow)
    found = proposal(tmp_path)
    assert value(found.options, "--rate") == "20" and value(found.options, "--crop") == "centre_square"
    assert "the crop to a square drops 25% of the width" in found.reasons  # 24 of 32 columns stay
    assert value(found.options, "--robot") == "robot.yaml"


def test_repeated_images_are_dropped_at_the_rate_of_the_distinct_ones(tmp_path):
    messages = run(90)
    for one in messages:
        if one.topic == TOPICS.image:
            one.content[:] -= one.content % 2  # every second image repeats the one before
    record(tmp_path / "run_1", messages)
    found = proposal(tmp_path)
    assert "--drop-repeats" in found.options and value(found.options, "--rate") == "15"


def test_a_camera_whose_images_all_repeat_the_first_has_no_rate_to_propose(tmp_path):
    messages = run(20)
    for one in messages:
        if one.topic == TOPICS.image:
            one.content[:] = 7
    record(tmp_path / "run_1", messages)
    found = proposal(tmp_path)
    assert "--rate" not in found.options and any("check the camera" in why for why in found.reasons)
    assert hwm("inspect", tmp_path) == 0


@pytest.mark.parametrize(
    ("numbers", "options"),
    [
        ([*range(1, 41)], ("--validation-nth", "10")),
        ([1, 2, 3, 4, 5, 6], ("--validation-nth", "5")),
        ([5, 10, 15], ("--validation-nth", "10")),
        ([1], ("--validation", "OTHER")),
        ([1, 1], ("--split", "split.yaml")),
    ],
)
def test_about_a_tenth_of_the_recordings_validate_and_never_all(tmp_path, numbers, options):
    record(tmp_path / "run_1", run())
    (recording,) = find_recordings(tmp_path, TOPICS)
    assert propose([inspect(recording)], numbers).options[-2:] == options


def test_the_printed_command_prepares_the_store(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for number in (1, 2):
        record(tmp_path / f"bags/run_{number}", run())
    (tmp_path / "robot.yaml").write_text("name: r\njoints: {'*': {unit: deg}}")
    assert hwm("inspect", "bags", "--image-topic", TOPICS.image) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("Next: hwm prepare bags ")
    assert hwm(*shlex.split(last)[2:]) == 0 and (tmp_path / "store" / "training" / "run_1").is_dir()


@pytest.mark.realdata
def test_the_gr1_is_recognised_and_its_black_bars_and_rate_are_proposed():
    options = proposal(real_data("gr1_sim_picknplace")).options
    assert value(options, "--embodiment") == "fourier_gr1" and value(options, "--rate") == "20"
    assert options[options.index("--margins") + 1 : options.index("--margins") + 5] == ("0.188", "0.188", "0", "0")
