"""No command on any malformed recording or robot file ends in a traceback."""

import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
import yaml
from command import hwm
from mutations import change_array, change_field, mutate
from onex_sets import compression_test_v2, raw_v2, tokens_v1, tokens_v2
from recordings import lerobot_dataset, record, run, write_video

from benchmarks.readers.sqlite_bag import as_sqlite3
from hwm_core.data.lerobot.versions import convert_version
from hwm_core.data.rosbag2.writer import BagWriter

FRAMES = 6
# Mutations of each format: a few in every run of the tests, and all of them in `make test-all`.
FEW, MANY = 5, 300
# Longest time of one command on a recording of a few frames; the machine may be busy.
_MOST_S = 20


def mcap(path: Path) -> None:
    for number in (1, 2):
        record(path / f"run_{number}", run(FRAMES), "png")


def sqlite(path: Path) -> None:
    for number in (1, 2):
        whole = record(path.parent / f"{path.name}_mcap/run_{number}", run(FRAMES))
        as_sqlite3(whole, path / f"run_{number}")


def lerobot_v2(path: Path) -> None:
    folder = lerobot_dataset(path / "set", (0, 1), FRAMES)
    (folder / "meta/tasks.jsonl").write_text('{"task_index": 0, "task": "wave"}\n')
    (folder / "meta/episodes.jsonl").write_text('{"episode_index": 0, "tasks": ["wave"], "length": 6}\n')


def lerobot_v3(path: Path) -> None:
    lerobot_v2(path.parent / f"{path.name}_old")
    path.mkdir()
    convert_version(path.parent / f"{path.name}_old/set", path / "set", "v3.0")


def video_csv(path: Path) -> None:
    path.mkdir()
    for number in (1, 2):
        write_video(path / f"run_{number}.mp4", FRAMES, "mpeg4")
        rows = "".join(f"{t / 30:.4f},{t},{t},{t // 4}\n" for t in range(FRAMES))
        (path / f"run_{number}.csv").write_text(f"time_s,state.neck,command.neck,segment\n{rows}")


def video_npz(path: Path) -> None:
    path.mkdir()
    for number in (1, 2):
        write_video(path / f"run_{number}.mp4", FRAMES, "mpeg4")
        values = np.arange(2.0 * FRAMES).reshape(FRAMES, 2)
        np.savez(path / f"run_{number}.npz", names=["a", "b"], states=values, commands=values)


def onex_raw(path: Path) -> None:
    raw_v2(path / "raw_1", FRAMES)


def onex_tokens(path: Path) -> None:
    tokens_v2(path / "new", (34,), folders=True, cut=20)
    tokens_v1(path / "old", 8, 3)
    compression_test_v2(path / "test", (0,))


def messages(path: Path) -> None:
    """A bag whose messages a mutation changes, in place of its bytes."""
    mcap(path)


def arrays(path: Path) -> None:
    """Videos whose arrays a mutation changes, in place of bytes."""
    video_npz(path)


FORMATS: dict[str, Callable[[Path], None]] = {
    one.__name__: one
    for one in (mcap, sqlite, messages, lerobot_v2, lerobot_v3, video_csv, video_npz, arrays, onex_raw, onex_tokens)
}


def change_message(path: Path, random: Random) -> str:
    """Record a run again with fields of one message, or of all messages after it, changed."""
    folder = path / "run_1"
    shutil.rmtree(folder)
    chosen, only_one, seed = random.randrange(5 * FRAMES), random.random() < 0.5, random.random()
    done = "nothing"
    with BagWriter(folder) as bag:
        for number, one in enumerate(run(FRAMES)):
            image = isinstance(one.content, np.ndarray)
            names, positions = ((), ()) if image else one.content
            good = {"stamp": one.stamp_ns, "names": list(names), "positions": [float(value) for value in positions]}
            good |= {"encoding": "rgb8", "height": 24, "width": 32, "step": 96, "size": 24 * 96}
            fields = deepcopy(good)
            if number == chosen or (number > chosen and not only_one):
                done = change_field(fields, Random(seed))
            try:
                _write(bag, one.topic, image, fields)
            except Exception:  # a value that no message can hold
                _write(bag, one.topic, image, good)
    return done


def _write(bag: BagWriter, topic: str, image: bool, fields: dict[str, Any]) -> None:
    if not image:
        bag.write_joints(topic, int(fields["stamp"]), fields["names"], fields["positions"])
        return
    types = bag.types.types
    seconds, nanoseconds = divmod(int(fields["stamp"]), 10**9)
    time = types["builtin_interfaces/msg/Time"](sec=seconds, nanosec=nanoseconds)
    header = types["std_msgs/msg/Header"](stamp=time, frame_id="")
    numbers = {name: int(fields[name]) for name in ("height", "width", "step")}
    data, encoding = np.arange(int(fields["size"])).astype(np.uint8), str(fields["encoding"])
    message = types["sensor_msgs/msg/Image"](header=header, encoding=encoding, is_bigendian=0, data=data, **numbers)
    bag.write(topic, message, int(fields["stamp"]))


def commands(format_: str, source: Path, out: Path) -> list[tuple[object, ...]]:
    codec = () if format_.startswith("lerobot") else ("--codec", "lossless")
    return [
        ("inspect", source, "--dimensions"),
        ("verify", source),
        ("prepare", source, "--robot", "r", "--size", 8, "--validation-nth", 2, "--out", out / "store"),
        ("convert", source, "--to", "rosbag2", "--image-format", "raw", "--out", out / "bags"),
        ("convert", source, "--to", "lerobot-v3.0", "--codec", "lossless", "--out", out / "encoded"),
        ("convert", source, "--to", "lerobot-v2.1", "--out", out / "v2", *codec),
        ("convert", source, "--to", "lerobot-v3.0", "--out", out / "v3", *codec),
        ("statistics", source, "--robot", "r"),
        ("split", source, "--nth", 2, "--out", out / "split.yaml"),
    ]


def change_arrays(path: Path, random: Random) -> str:
    """Change one array of a table."""
    file = path / "run_1.npz"
    with np.load(file) as stored:
        one = dict(stored) | {"time_s": np.arange(FRAMES) / 30, "segments": np.zeros(FRAMES, np.int64)}
    done = change_array(one, random)
    np.savez(file, **one)
    return done


@contextmanager
def limited(seconds: int) -> Iterator[None]:
    """Raise TimeoutError in the body after some time."""

    def stop(_number: int, _frame: object) -> None:
        raise TimeoutError(f"a command ran for {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def survive(format_: str, good: Path, tmp_path: Path, number: int, count: int) -> None:
    """Damage a copy of `good`, and run `count` commands on it."""
    random = Random(f"{format_} {number}")
    source = tmp_path / "damaged"
    shutil.copytree(good, source)
    done = {"messages": change_message, "arrays": change_arrays}.get(format_, mutate)(source, random)
    for words in random.sample(commands(format_, source, tmp_path / "out"), count):
        try:
            with limited(_MOST_S):
                status = hwm(*words)
        except BaseException as error:
            raise AssertionError(f"mutation {number} of {format_} ({done}): hwm {words[0]} raised {error!r}") from error
        assert status in (0, 1, 2), (done, words)
    shutil.rmtree(source)
    shutil.rmtree(tmp_path / "out", ignore_errors=True)


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """A good folder of a format, made once."""
    made: dict[str, Path] = {}

    def folder(format_: str) -> Path:
        if format_ not in made:
            made[format_] = tmp_path_factory.mktemp("good") / format_
            FORMATS[format_](made[format_])
        return made[format_]

    return folder


@pytest.mark.parametrize("format_", FORMATS)
def test_no_command_on_a_damaged_recording_ends_in_a_traceback(good, tmp_path, format_):
    for number in range(FEW):
        survive(format_, good(format_), tmp_path, number, count=2)


@pytest.mark.slow
@pytest.mark.parametrize("format_", FORMATS)
def test_no_command_of_many_on_a_damaged_recording_ends_in_a_traceback(good, tmp_path, format_):
    started = time.monotonic()
    for number in range(FEW, FEW + MANY):
        survive(format_, good(format_), tmp_path, number, count=3)
        assert time.monotonic() - started < 1800, f"{number} mutations took too long"


ROBOT = {
    "name": "r",
    "joints": {
        "neck": {"unit": "rad", "limits": [-1.0, 100.0], "max_velocity": 2.0},
        "*": {"unit": "rad", "limits": [-500.0, 500.0], "max_acceleration": 4.0},
    },
}


def damaged_robot(path: Path, number: int) -> str:
    random = Random(f"robot {number}")
    path.write_text(yaml.safe_dump(ROBOT, sort_keys=False))
    return mutate(path.parent, random)


@pytest.mark.parametrize("count", [FEW, pytest.param(MANY, marks=pytest.mark.slow)])
def test_no_command_with_a_damaged_robot_file_ends_in_a_traceback(good, tmp_path, count):
    for number in range(count):
        folder = tmp_path / f"robot_{number}"
        folder.mkdir()
        done = damaged_robot(folder / "robot.yaml", number)
        for words in (
            ("inspect", good("mcap"), "--robot", folder / "robot.yaml"),
            ("statistics", good("mcap"), "--robot", folder / "robot.yaml"),
        ):
            try:
                with limited(_MOST_S):
                    assert hwm(*words) in (0, 1, 2)
            except BaseException as error:
                raise AssertionError(f"robot file {number} ({done}): hwm {words[0]} raised {error!r}") from error


@pytest.mark.parametrize(
    ("format_", "number"),
    [
        ("messages", 216),
        ("messages", 293),
        ("video_csv", 201),
        ("video_npz", 137),
        ("video_npz", 1252),
        ("lerobot_v3", 3128),
    ],
)
def test_mutations_that_once_ended_in_a_traceback_do_so_no_more(good, tmp_path, format_, number):
    survive(format_, good(format_), tmp_path, number, count=9)
