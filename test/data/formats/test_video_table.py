"""Plain videos with a .csv or .npz file of joint values."""

import numpy as np
import pytest
from command import hwm
from recordings import PREPROCESSING, TOPICS, write_video

from hwm_core.data.checks.verification import verify_recording
from hwm_core.data.discover import find_recordings
from hwm_core.errors import BadBag, RobotMismatch

HEADER = "state.neck,state.elbow,command.neck,note"


@pytest.fixture
def video(tmp_path):
    write_video(tmp_path / "run_4.mp4", 20, "mpeg4")  # frame t has the grey value 10 t
    return tmp_path / "run_4.mp4"


def read(video):
    (recording,) = find_recordings(video.parent, TOPICS)
    return recording.read(PREPROCESSING)[0], recording


def test_rows_without_times_belong_to_the_frames_in_order(video):
    rows = "\n".join(f"{t},{2 * t},{t},text" for t in range(20))
    video.with_suffix(".csv").write_text(f"{HEADER}\n{rows}\n")
    # The commands have fewer joints than the states, so only the shared joint is read.
    (recording,) = find_recordings(video, TOPICS)
    episode, _ = recording.read(PREPROCESSING, ["neck"])
    assert recording.number == 4
    assert episode.states[:, 0].tolist() == list(range(1, 20))
    assert episode.commands[:, 0].tolist() == list(range(19))  # issued at the frame before
    assert np.abs(episode.frames[:, 6, 6, 1].astype(int) - 10 * np.arange(1, 20)).max() <= 4


def test_rows_with_times_are_interpolated_at_the_frames(video):
    times = np.arange(0, 0.7, 0.01)
    rows = "\n".join(f"{time},{100 * time}" for time in times)
    video.with_suffix(".csv").write_text(f"time_s,state.neck\n{rows}\n")
    episode, _ = read(video)
    assert np.allclose(episode.states[:, 0], 100 * np.arange(20) / 30, atol=1e-4)


@pytest.mark.parametrize(("name", "options"), [("run_4.mp4", {"movflags": "faststart"}), ("run_4.mkv", {})])
@pytest.mark.parametrize("share", [1.0, 0.6])
def test_a_video_that_ends_before_its_stated_end_is_a_fault_with_both_times(tmp_path, name, options, share):
    video = tmp_path / name
    write_video(video, 40, "mpeg4", **options)
    video.write_bytes(video.read_bytes()[: int(share * video.stat().st_size)])
    rows = "\n".join(f"{time},{100 * time}" for time in np.arange(0, 1.4, 0.01))
    video.with_suffix(".csv").write_text(f"time_s,state.neck\n{rows}\n")
    _, recording = read(video)
    faults = [one.text for one in verify_recording(recording) if one.level == "fault"]
    assert len(faults) == (share < 1)
    assert all("but it says it has 1.33 s" in fault for fault in faults)


def test_an_npz_is_read_and_its_takes_stay_separate(video):
    t = np.arange(20.0)
    np.savez(
        video.with_suffix(".npz"),
        names=["neck", "elbow"],
        states=np.stack([t, 2 * t], 1),
        segments=(t >= 7).astype(int),
    )
    episode, _ = read(video)
    assert episode.names == ("neck", "elbow") and episode.states[:, 1].tolist() == (2 * t).tolist()
    assert episode.segments.tolist() == [0] * 7 + [1] * 13


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "0 rows of nothing"),
        ("neck,elbow\n1,2\n", "1 rows of neck, elbow"),
        ("state.neck,state.elbow\n1,2\n1", "line 3"),
        ("state.neck\nfast\n", "could not convert"),
        ("time_s;state.neck\n0;1\n", "Separate the columns with commas"),
        ("state.neck,segment\n1,0.5\n", "segment 0.5"),
        ("state.neck,segment\n1,\n", "segment nan"),
        ("time_s,state.neck\n1,0\n0,0\n", "never decreases"),
        ("state.neck\n1\n2\n", "expected 2 frames"),
    ],
)
def test_an_invalid_table_is_rejected(video, text, message):
    video.with_suffix(".csv").write_text(text)
    with pytest.raises(BadBag, match=message):
        read(video)


def test_a_table_with_two_joints_of_one_name_is_rejected(video):
    rows = "\n".join("1,2" for _ in range(20))
    video.with_suffix(".csv").write_text(f"state.neck,state.neck\n{rows}\n")
    with pytest.raises(RobotMismatch, match="neck more than once"):
        read(video)


def test_a_table_with_a_name_twice_is_not_converted_either(video):
    video.with_suffix(".csv").write_text("state.neck,state.neck\n" + "1,2\n" * 20)
    assert hwm("convert", video, "--to", "rosbag2", "--out", video.parent / "bags") == 2


def test_an_empty_cell_costs_its_row_alone(video):
    rows = "".join(f"{t / 30},{'' if t == 7 else t}\n" for t in range(20))
    video.with_suffix(".csv").write_text(f"time_s,state.neck\n{rows}")
    episode, report = read(video)[1].read(PREPROCESSING)
    assert report.bad == 1 and np.abs(episode.states[:, 0] - np.arange(20)[: len(episode)]).max() < 1e-3


@pytest.mark.parametrize(("scale", "fault"), [(1.0, False), (1.5, False), (1000.0, True)])
def test_a_table_that_is_far_longer_than_its_video_is_a_fault(video, scale, fault):
    rows = "".join(f"{scale * t / 30},{t / 100}\n" for t in range(20))
    video.with_suffix(".csv").write_text(f"time_s,command.neck\n{rows}")
    _, report = read(video)[1].read(PREPROCESSING)
    assert [f"ends at {scale * 19 / 30:.2f} s" in one for one in report.source_faults] == [True] * fault


def test_a_truncated_npz_and_an_npz_with_other_arrays_are_rejected(video):
    table = video.with_suffix(".npz")
    np.savez(table, names=["a"], states=np.zeros((20, 2)))
    with pytest.raises(BadBag, match=r"states.*\[20, 2\]"):
        read(video)
    table.write_bytes(table.read_bytes()[:100])
    with pytest.raises(BadBag, match="truncated"):
        read(video)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"time_s": np.arange(20.0)[:, None] / 30}, r"'time_s': \[20, 1\]"),
        ({"segments": np.zeros((20, 2))}, r"'segments': \[20, 2\]"),
        ({"states": np.zeros((20, 1), complex)}, "states of type complex128"),
        ({"states": np.full((20, 1), "x")}, "states of type <U1"),
        ({"states": np.float64(3)}, r"'states': \[\]"),
        ({"names": [" "]}, "a blank one"),
    ],
)
def test_an_npz_with_arrays_of_other_shapes_or_types_is_rejected_with_them(video, arrays, message):
    np.savez(video.with_suffix(".npz"), **{"names": ["a"], "states": np.zeros((20, 1)), **arrays})
    with pytest.raises(BadBag, match=message):
        read(video)


def test_names_of_bytes_are_text(video):
    np.savez(video.with_suffix(".npz"), names=np.array([b"a"]), states=np.zeros((20, 1)))
    assert read(video)[0].names == ("a",)


def test_a_video_with_two_tables_is_rejected_with_both(video, capsys):
    video.with_suffix(".csv").write_text("state.neck\n" + "1\n" * 20)
    np.savez(video.with_suffix(".npz"), names=["a"], states=np.zeros((20, 1)))
    assert hwm("verify", video.parent) == 1
    assert "expected one table of joint values, got run_4.csv and run_4.npz" in capsys.readouterr().out


def test_a_video_without_a_table_is_rejected(video):
    with pytest.raises(BadBag, match=r"a \.csv or \.npz of its name"):
        find_recordings(video, TOPICS)


def test_names_of_cameras_in_capital_letters_are_found(video):
    video.rename(video.with_suffix(".MP4"))
    video.with_suffix(".CSV").write_text("state.neck\n" + "".join(f"{t}\n" for t in range(20)))
    episode, _ = read(video)
    assert episode.states[:, 0].tolist() == list(range(20))


def test_a_column_of_times_twice_is_rejected(video):
    rows = "".join(f"{t / 30},9,{t}\n" for t in range(20))
    video.with_suffix(".csv").write_text(f"time_s,time_s,state.neck\n{rows}")
    with pytest.raises(BadBag, match="2 columns `time_s`"):
        read(video)


def test_times_that_do_not_count_from_the_first_frame_are_rejected_with_that_remedy(video):
    rows = "".join(f"{1.7e9 + t / 30},{t}\n" for t in range(20))
    video.with_suffix(".csv").write_text(f"time_s,state.neck\n{rows}")
    with pytest.raises(BadBag, match=r"states at 1700000001\.000.*`time_s` of a table counts from the first frame"):
        read(video)
