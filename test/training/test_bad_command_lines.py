"""Invalid command lines end with exit status 2 and a message, without a stack trace."""

from pathlib import Path

import numpy as np
import pytest
from command import hwm
from recordings import record, run
from untrained import JOINTS, save_untrained

from hwm_core.data.episodes.store import write_episode
from hwm_core.data.recording.preprocessing import Preprocessing
from hwm_core.types import Episode

ONEX = ("--checkpoint", "tiny", "--data", "set", "--out", "out")


@pytest.fixture
def rejected(capsys):
    """A function that runs a command, requires exit status 2, and returns the error message."""

    def call(command: str, *arguments: object) -> str:
        try:
            status = hwm(*command.split(), *arguments)
        except SystemExit as exit_:
            status = exit_.code
        assert status == 2
        return capsys.readouterr().err

    return call


@pytest.fixture
def bags(tmp_path: Path) -> Path:
    for number in (1, 2):
        record(tmp_path / f"bags/run_{number}", run(8))
    return tmp_path / "bags"


def write_still_episode(folder: Path) -> None:
    """An episode in which nothing moves."""
    episode = Episode(
        name="only",
        frames=np.zeros((44, 16, 16, 3), np.uint8),
        stamps_ns=np.arange(44, dtype=np.int64) * 33_333_333,
        segments=np.zeros(44, np.int32),
        names=JOINTS,
        states=None,
        commands=np.zeros((44, 3), np.float32),
    )
    write_episode(folder, episode, Preprocessing(source_aspect=1.0, height=16, width=16))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--size", 0), "`height`: expected a value greater than or equal to 1, got 0"),
        (("--rate", 0), "`frame_rate_hz`: expected a value greater than 0, got 0.0"),
        (("--margins", 0.6, 0.6, 0, 0), "expected `margins` to be four shares of at least 0"),
        (("--rate", "inf"), "`frame_rate_hz`: expected a finite number, got inf"),
        *(
            (("--margins", *some), "expected `margins` to be four shares")
            for some in (("nan", 0, 0, 0), (0, 0, 0, "nan"))
        ),
        (("--rate", 1000), "at 1000 Hz: expected frames no further apart than 3.5 periods; a longer interval is a gap"),
        (("--frame-skip", -1), "argument --frame-skip: expected a whole number of at least 0, got -1"),
        (("--validation-nth", -1), "argument --validation-nth: expected a whole number of at least 0, got -1"),
        (("--workers", 0), "argument --workers: expected a whole number of at least 1, got 0"),
        (("--workers", "two"), "argument --workers: expected a whole number of at least 1, got two"),
    ],
)
def test_impossible_settings_of_a_store_are_rejected(bags: Path, rejected, options, message: str) -> None:
    store = bags.parent / "store"
    error = rejected("prepare", bags, "--robot", "r", "--validation-nth", 2, "--out", store, *options)
    assert message in error and not store.exists()


def test_a_rate_above_the_cameras_is_rejected_with_the_cameras_rate(bags: Path, rejected) -> None:
    # The camera has 30 Hz, 33 ms per image. 3.5 periods of 120 Hz are 29 ms, of 100 Hz 35 ms.
    store = ("--robot", "r", "--validation-nth", 2, "--out", bags.parent / "store", "--rate")
    assert "got images with joint values at 30 Hz. Prepare at that rate" in rejected("prepare", bags, *store, 120)
    assert hwm("prepare", *map(str, (bags, *store, 100))) == 0


def test_joints_beside_an_embodiment_are_rejected(bags: Path, rejected) -> None:
    words = (
        "--embodiment",
        "fourier_gr1",
        "--joints",
        "neck",
        "elbow",
        "--validation-nth",
        2,
        "--out",
        bags.parent / "s",
    )
    assert "--joints: expected no --joints together with --embodiment" in rejected("prepare", bags, *words)


def test_an_output_path_below_a_file_is_rejected_with_the_path(bags: Path, rejected) -> None:
    file = bags.parent / "file"
    file.write_text("")
    for out in (file, file / "below"):
        robot = ("--robot", "r", "--out", out)
        for error in (
            rejected("prepare", bags, *robot, "--validation-nth", 2),
            rejected("convert", bags, "--to", "rosbag2", "--out", out),
            rejected("convert", bags, "--to", "lerobot-v3.0", "--out", out),
            rejected("statistics", bags, "--robot", "r", "--out", out / "r.yaml"),
            rejected("inspect", bags, "--sheets", out),
        ):
            assert str(file) in error and error.count("expected") == 1, error


def test_an_evaluation_folder_below_a_file_is_rejected_with_the_path(tmp_path: Path, rejected) -> None:
    for split in ("training", "validation"):
        write_still_episode(tmp_path / "store" / split)
    checkpoint, out = save_untrained(tmp_path / "checkpoint"), tmp_path / "file" / "out"
    out.parent.write_text("")
    error = rejected("evaluate", "--checkpoint", checkpoint, "--store", tmp_path / "store", "--out", out)
    assert f"Path {out}" in error and "expected a path that can be read and written, got Not a directory" in error


def test_several_robots_without_a_square_crop_are_rejected(bags: Path, rejected) -> None:
    embodiments = ("--embodiment", "unitree_g1_inspire", "fourier_gr1")
    error = rejected("prepare", bags, *embodiments, "--crop", "none", "--validation-nth", 2, "--out", bags.parent / "s")
    assert "expected `crop` to be `centre_square`" in error


def test_zero_frames_per_second_and_a_split_by_zero_are_rejected(bags: Path, rejected) -> None:
    out = bags.parent / "out"
    error = rejected("convert", bags, "--to", "lerobot-v3.0", "--fps", 0, "--out", out)
    assert "`fps`: expected a value greater than 0, got 0.0" in error
    assert "--nth: expected a whole number of at least 1" in rejected("split", bags, "--nth", 0, "--out", out)
    assert not out.exists()


@pytest.mark.parametrize(
    ("module", "options"),
    [
        ("evaluate", ("--episodes", 0)),
        ("evaluate", ("--examples", 0)),
        ("bench closed-loop", ("--episodes", 0)),
        ("bench ranking", ("--candidates", 0)),
        ("sim record", ("--out", "recordings", "--processes", 0)),
        ("reconstruct", ("--tokenizer", "tiny", "--store", "store", "--out", "report", "--latents", 0)),
        ("reconstruct", ("--tokenizer", "tiny", "--store", "store", "--out", "report", "--stride", 0)),
        ("reconstruct", ("--tokenizer", "tiny", "--store", "store", "--out", "report", "--windows", 0)),
        ("reconstruct", ("--tokenizer", "tiny", "--store", "store", "--out", "report", "--batch", 0)),
        ("1x", ("compress", *ONEX, "--limit", 0)),
        ("1x", ("compress", *ONEX, "--batch", 0)),
        ("1x", ("compress", *ONEX, "--top", 0)),
        ("1x", ("sample", *ONEX, "--stride", 0)),
        ("1x", ("validate", "archive.zip", "--vocabulary", 0)),
    ],
)
def test_a_count_of_zero_is_rejected(tmp_path: Path, rejected, monkeypatch, module, options) -> None:
    monkeypatch.chdir(tmp_path)
    assert f"{options[-2]}: expected a whole number of at least 1, got 0" in rejected(module, *options)
    assert not list(tmp_path.iterdir())


def test_evaluating_a_store_without_validation_episodes_is_rejected(tmp_path: Path, rejected) -> None:
    write_still_episode(tmp_path / "store/training")
    checkpoint = save_untrained(tmp_path / "checkpoint")
    error = rejected("evaluate", "--checkpoint", checkpoint, "--store", tmp_path / "store", "--out", tmp_path / "out")
    assert "expected episodes to evaluate, got none" in error and "--validation-nth" in error


@pytest.mark.parametrize(
    ("command", "option", "value", "expected"),
    [
        ("memory", "--limit-gb", "nan", "a number above 0"),
        ("memory", "--limit-gb", "0", "a number above 0"),
        ("bench fit-baselines", "--minutes", "inf", "a number above 0"),
        ("bench fit-baselines", "--minutes", "0", "a number above 0"),
        ("split", "--share", "nan", "a number above 0"),
        ("explain", "--seed", "1.5", "a whole number of at least 0"),
        ("evaluate", "--seed", "-1", "a whole number of at least 0"),
        ("evaluate", "--seed", "9223372036854775808", "a seed of at most 9223372036854775807"),
    ],
)
def test_a_number_outside_of_an_options_range_is_an_error_of_that_option(
    rejected, command, option, value, expected
) -> None:
    assert f"argument {option}: expected {expected}, got {value}" in rejected(command, option, value)


def test_a_bad_setting_of_an_evaluation_is_rejected_before_episodes_are_simulated(rejected, monkeypatch) -> None:
    monkeypatch.setattr("training.evaluate._episodes", lambda *_: pytest.fail("simulated"))
    assert "`max_windows`: expected a value greater than or equal to 2, got 0" in rejected(
        "evaluate", "--max-windows", 0
    )
