"""The benchmarks of the world_model node: tables, flatness, and a short run of each."""

import json

import pytest

from benchmarks.node.table import faults_report, node_report, phases_table, real_time_report, soak_report
from hwm_core.evaluation.closed_loop.record import EpisodeRecord

MS = {"p50": 1.0, "p95": 2.0, "p99": 3.0}
PART = {
    "memory_mb": 400.0,
    "images_sent": 300,
    "images_lost": 0,
    "requests": {"answered": 9, "failed": 0},
    "status_age_ms": MS,
    "score_age_ms": MS,
    "load_1_min": 0.5,
}


PHASE = {
    "images_sent": 30,
    "images_lost": 1,
    "stages_ms": {"transport": MS, "decode": MS},
    "status_age_ms": MS,
    "score_age_ms": None,
    "service_minus_model_ms": None,
    "requests": {"answered": 0, "failed": 0},
    "cpu_percent_by_thread": {"main": 20.0},
    "memory_mb": [400, 401],
}


def changed(index, **fields):
    parts = [dict(PART) for _ in range(10)]
    for part in parts[index:]:
        part.update(fields)
    return parts


def test_without_a_result_a_table_says_so(tmp_path):
    for report in (node_report, soak_report, real_time_report, faults_report):
        assert report(tmp_path / "none.json") == "Not measured yet."


def test_the_table_of_the_phases_has_a_row_for_every_stage():
    text = phases_table({"raw": PHASE})
    assert "| images sent, lost | 30, 1 |" in text
    assert "| decode | 1.0 / 2.0 / 3.0 |" in text and "| cost |  |" in text


def test_faults_are_listed_by_group_with_their_times(tmp_path):
    row = {"name": "cut", "sent": "a cut image", "answered": "BAD_IMAGE", "answered_s": 0.52, "recovered_s": 0.1}
    rows = [{**row, "group": group, "load_1_min": 2.0} for group in ("images", "joints", "images")]
    path = tmp_path / "faults.json"
    path.write_text(json.dumps({"machine": {"cpu": "CPU", "cores": 2}, "date": "2026-01-01", "rows": rows}))
    text = faults_report(path)
    assert text.count("## images") == 1 and text.count("| a cut image | BAD_IMAGE | 0.5 | 0.1 | `cut` |") == 3
    assert "3 faults" in text and "load of the machine 2 to 2" in text


@pytest.mark.ros
@pytest.mark.parametrize(
    ("parts", "flat"),
    [
        (changed(0), True),
        (changed(5, memory_mb=410.0), True),
        (changed(5, memory_mb=430.0), False),
        (changed(5, status_age_ms={**MS, "p50": 2.5}), False),
        (changed(5, score_age_ms=None), True),
    ],
)
def test_flat_means_that_neither_memory_nor_latency_grows(parts, flat):
    pytest.importorskip("rclpy", reason="needs ROS 2")
    from benchmarks.node.soak import flatness, is_flat

    assert is_flat(flatness(parts)) == flat


@pytest.mark.ros
def test_the_measurement_writes_its_phases_with_the_load_of_the_machine(tmp_path, monkeypatch, capsys):
    pytest.importorskip("rclpy", reason="needs ROS 2")
    from benchmarks.node import measure

    monkeypatch.setattr(measure, "_phase", lambda *_: PHASE)
    path = tmp_path / "node.json"
    assert measure.main(["--out", str(path)]) == 0
    result = json.loads(path.read_text())
    assert set(result["phases"]) == {"raw", "raw, scoring", "JPEG, scoring"} and "load_1_min" in result["load"]["after"]
    assert "| decode | 1.0 / 2.0 / 3.0 | 1.0 / 2.0 / 3.0 | 1.0 / 2.0 / 3.0 |" in capsys.readouterr().out
    assert "* *raw*: main 20 %" in node_report(path)


@pytest.mark.ros
def test_reaches_in_all_rows_of_a_seed_follow_each_other_and_an_interrupted_run_goes_on(tmp_path, monkeypatch):
    pytest.importorskip("rclpy", reason="needs ROS 2")
    from sensor_msgs.msg import Image

    from benchmarks.node import real_time
    from hwm_ros.task_episode import TaskEpisode

    ran = []

    def run(kind, checkpoint, seed, device, bag, logs, on_feedback, lockstep):
        if len(ran) == 3:
            raise KeyboardInterrupt
        ran.append((seed, lockstep))
        return TaskEpisode((0.3, 0.01 if lockstep else 0.2), (), Image(), {}, {}, 30.0)

    def without_ros(job):
        return EpisodeRecord(
            success=True,
            success_at_closest=True,
            errors=(0.3, 0.02),
            decisions=1,
            futures=9,
            decision_seconds=(0.1, 0.1),
        )

    monkeypatch.setattr(real_time, "run_task_episode", run)
    monkeypatch.setattr(real_time.EpisodeJob, "__call__", without_ros)
    options = ["--episodes", "2", "--out", str(tmp_path / "real_time.json")]
    with pytest.raises(KeyboardInterrupt):
        real_time.main(options)
    first, second = ran[0][0], ran[2][0]
    assert ran == [(first, True), (first, False), (second, True)] and first != second
    ran[:] = []
    assert real_time.main(options) == 0
    assert ran == [(second, False)]
    text = real_time_report(tmp_path / "real_time.json")
    for row, successes in {"lockstep": 2, "real_time": 0, "without_ros": 2}.items():
        assert f"| reach | {row} | {successes} of 2" in text


@pytest.mark.ros
@pytest.mark.slow
def test_a_short_soak_and_a_short_measurement_write_their_results(tmp_path):
    pytest.importorskip("rclpy", reason="needs ROS 2")
    from benchmarks.node import measure, soak

    assert measure.main(["--seconds", "6", "--out", str(tmp_path / "node.json")]) == 0
    phases = json.loads((tmp_path / "node.json").read_text())["phases"]
    assert {"transport", "decode", "publish"} <= set(phases["raw"]["stages_ms"])
    assert phases["raw, scoring"]["requests"]["answered"] > 0
    soak.main(["--seconds", "10", "--out", str(tmp_path / "soak.json")])
    assert len(json.loads((tmp_path / "soak.json").read_text())["parts"]) == 10
    assert "stamp to score" in soak_report(tmp_path / "soak.json")
