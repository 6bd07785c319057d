"""LeRobot itself, 0.4.4, reads datasets that hwm writes, and hwm reads datasets that LeRobot writes.

HWM_LEROBOT_PYTHON is the Python of an environment of its own: `pip install lerobot==0.4.4`.
"""

import json
import os
import subprocess
from pathlib import Path

import cv2
import numpy as np
import pytest
from command import hwm
from lerobot_sets import change_features, plain_set, with_column, write_lines
from recordings import TOPICS, record, run

from hwm_core.data.discover import find_recordings
from hwm_core.data.recording.preprocessing import Preprocessing

HELPERS = Path(__file__).parents[2] / "helpers"
HEAD = "observation.images.head"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif("HWM_LEROBOT_PYTHON" not in os.environ, reason="HWM_LEROBOT_PYTHON is not set"),
]


def lerobot(script, *words):
    """Run a script of test/helpers with LeRobot; returns what it prints."""
    command = [os.environ["HWM_LEROBOT_PYTHON"], str(HELPERS / script), *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def read_by_lerobot(folder):
    return json.loads(lerobot("lerobot_reader.py", folder).splitlines()[-1])


def source(folder, joints):
    """Two episodes of 20 rows with `joints` joints, and a task for each half."""
    made = plain_set(folder, (0, 1))
    feature = {"dtype": "float32", "shape": [joints], "names": [f"j{joint}" for joint in range(joints)]}
    change_features(made, **{"observation.state": feature, "action": feature})
    write_lines(made, "tasks", [{"task_index": 0, "task": "wave"}, {"task_index": 1, "task": "bow"}])
    for number in (0, 1):
        with_column(made, number, "task_index", np.array([0] * 10 + [1] * 10))
        for name, scale in (("observation.state", 1.0), ("action", 2.0)):
            values = [[scale * t] * joints if joints > 1 else scale * t for t in range(20)]
            with_column(made, number, name, values)
    return made


@pytest.mark.parametrize("codec", [None, "h264", "lossless", "av1"])
@pytest.mark.parametrize("joints", [1, 3])
def test_every_row_has_its_image_joints_and_task(tmp_path, joints, codec):
    options = ("--codec", codec) if codec else ()
    made = source(tmp_path / "set", joints)
    assert hwm("convert", made, "--to", "lerobot-v3.0", "--out", tmp_path / "out", *options) == 0
    rows = read_by_lerobot(tmp_path / "out")
    assert [row["episode"] for row in rows] == [0] * 20 + [1] * 20
    for t, row in zip([*range(20), *range(20)], rows, strict=True):
        assert abs(row["grey"] - 10 * t) < 5
        assert row["state"] == [t] * joints and row["action"] == [2 * t] * joints
        assert row["task"] == ("wave" if t < 10 else "bow")


def test_a_bag_becomes_a_dataset_that_lerobot_reads(tmp_path):
    record(tmp_path / "bags/run_1", run(20))
    assert (
        hwm("convert", tmp_path / "bags", "--to", "lerobot-v3.0", "--codec", "lossless", "--out", tmp_path / "out") == 0
    )
    rows = read_by_lerobot(tmp_path / "out")
    assert [round(row["state"][0]) for row in rows] == [round(row["grey"]) for row in rows]


def test_pictures_in_tables_and_columns_that_info_did_not_describe_are_read(tmp_path):
    made = source(tmp_path / "set", 3)
    change_features(made, **{HEAD: {"dtype": "image", "shape": [24, 32, 3], "names": ["height", "width", "channels"]}})
    for number in (0, 1):
        stored = [cv2.imencode(".png", np.full((24, 32, 3), 10 * t, np.uint8))[1].tobytes() for t in range(20)]
        with_column(made, number, HEAD, [{"bytes": data, "path": f"{t}.png"} for t, data in enumerate(stored)])
        with_column(made, number, "reward", [0.5] * 20)
    for video in made.rglob("*.mp4"):
        video.unlink()
    assert hwm("convert", made, "--to", "lerobot-v3.0", "--out", tmp_path / "out") == 0
    assert [round(row["grey"]) for row in read_by_lerobot(tmp_path / "out")][:20] == [10 * t for t in range(20)]


@pytest.mark.parametrize("joints", [1, 3])
@pytest.mark.parametrize("dtype", ["video", "image"])
def test_hwm_reads_what_lerobot_records(tmp_path, capsys, dtype, joints):
    lerobot("lerobot_recorder.py", tmp_path / "set", dtype, joints)
    camera = ("--camera", HEAD)
    assert hwm("inspect", tmp_path / "set", *camera) == 0
    assert "12 at 30.00 Hz" in capsys.readouterr().out
    assert hwm("verify", tmp_path / "set") == 0
    assert "0 faults" in capsys.readouterr().out
    prepare = ("--robot", "so101", "--crop", "none", "--size", 32, "--validation-nth", 3, "--out", tmp_path / "store")
    assert hwm("prepare", tmp_path / "set", *camera, *prepare) == 0
    for copy, version in (("set", "v2.1"), ("v2.1", "v3.0")):  # read again after a conversion and back
        assert hwm("convert", tmp_path / copy, "--to", f"lerobot-{version}", "--out", tmp_path / version) == 0
    for folder in ("set", "v2.1", "v3.0"):
        for recording, episode, length in zip(
            find_recordings(tmp_path / folder, TOPICS, HEAD), range(3), (12, 9, 15), strict=True
        ):
            read, _ = recording.read(Preprocessing(source_aspect=4 / 3, height=32, width=32, crop="none"))
            n = np.arange(1, length)  # frame 0 has no command before it
            states = np.float32(n / 10)[:, None] + np.arange(joints) + episode
            assert read.names == tuple(f"arm_{joint}.pos" for joint in range(joints))
            np.testing.assert_allclose(read.states, states, atol=1e-5)
            np.testing.assert_allclose(read.commands, 2 * (states - 0.1), atol=1e-5)
            upper, lower = read.frames[:, 2:14].mean((1, 2, 3)), read.frames[:, 18:30].mean((1, 2))
            np.testing.assert_allclose(upper, 10 * n + 30 * episode + 20, atol=4)
            np.testing.assert_allclose(lower, np.tile([200, 80, 30], (length - 1, 1)), atol=4)
            tasks = ["bow" if number % 2 else f"wave {episode}" for number in n]
            assert list(recording.frame_tasks(read.stamps_ns)) == tasks
