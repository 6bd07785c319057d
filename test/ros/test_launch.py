"""The launch files with the real launch package: nodes become active, score candidates, respawn and exit cleanly."""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from untrained import save_untrained

pytest.importorskip("rclpy", reason="needs ROS 2")
pytest.importorskip("launch_ros", reason="needs the launch and launch_ros packages, which come with ROS 2 from apt")
from hwm_ros.msg import ActionScores, ContextStatus, ErrorCode, ModelInfo
from hwm_ros.srv import ScoreActions
from lifecycle_msgs.msg import State
from lifecycle_msgs.srv import GetState
from rcl_interfaces.srv import GetParameters
from recordings import record, run
from ros_harness import DEADLINE_S, Peer
from sensor_msgs.msg import Image

from hwm_core.sim.model import joints
from hwm_ros import convert
from hwm_ros.qos import LATCHED

pytestmark = [pytest.mark.ros, pytest.mark.launch]

FOLDER = Path(__file__).parents[2] / "launch"
LAUNCH_FILE = FOLDER / "world_model.launch.py"
RUN = """
import sys
from launch import LaunchDescription, LaunchService
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource

arguments = dict(argument.split(":=") for argument in sys.argv[2:])
launched = IncludeLaunchDescription(PythonLaunchDescriptionSource(sys.argv[1]), launch_arguments=arguments.items())
service = LaunchService()
service.include_launch_description(LaunchDescription([launched]))
sys.exit(service.run())
"""


@pytest.fixture
def peer():
    it = Peer()
    yield it
    it.close()


def test_the_launched_nodes_become_active_score_candidates_and_exit_cleanly(peer, tmp_path):
    names = joints().names
    checkpoint = save_untrained(tmp_path / "checkpoint", kind="states", joints=names)
    arguments = {
        "checkpoint": checkpoint,
        "namespace": "robot",
        "use_sim_time": "true",
        "planner": "true",
        "sim": "true",
    }
    command = [sys.executable, "-c", RUN, str(LAUNCH_FILE), *(f"{name}:={value}" for name, value in arguments.items())]
    log = tmp_path / "log.txt"
    with log.open("w") as out:
        launched = subprocess.Popen(
            command,
            stdout=out,
            stderr=subprocess.STDOUT,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
            start_new_session=True,
        )
    try:
        peer.subscribe(ContextStatus, "/robot/world_model/context_status")
        peer.newest("/robot/world_model/context_status", lambda status: status.ready)
        state = peer.call(GetState, "/robot/world_model/get_state", GetState.Request())
        assert state.current_state.id == State.PRIMARY_STATE_ACTIVE
        scores = request_scores(peer, names)
        assert (scores.error_code, len(scores.costs)) == (ErrorCode.NONE, 3)
        peer.until(lambda: "mpc_planner" in peer.node.get_node_names(), "the planner")
        launched.send_signal(signal.SIGINT)
        assert launched.wait(DEADLINE_S) == 0, log.read_text()
        assert log.read_text().count("process has finished cleanly") == 3, log.read_text()
    finally:
        with suppress(ProcessLookupError):
            os.killpg(launched.pid, signal.SIGKILL)  # no node may survive a failed test


@pytest.mark.parametrize(
    "argument",
    [
        "planner:=maybe",
        "publish_commands:=yes",
        "log_level:=loud",
        "params_file:=missing.yaml",
        "image_transport:=h264",
    ],
)
def test_a_wrong_argument_is_an_error_before_any_node_starts(argument):
    command = [sys.executable, "-c", RUN, str(LAUNCH_FILE), argument, "sim:=true"]
    launched = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    output = launched.stdout + launched.stderr
    assert launched.returncode == 1, output
    assert argument.split(":=")[0] in output
    assert "process started" not in output


@pytest.mark.parametrize("text", ["a: [", "just words", "world_model: 3"])
def test_a_params_file_that_is_no_parameter_file_is_an_error_before_any_node_starts(text, tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text(text)
    command = [sys.executable, "-c", RUN, str(LAUNCH_FILE), f"params_file:={path}", "sim:=true"]
    launched = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    output = launched.stdout + launched.stderr
    assert launched.returncode == 1 and "params_file" in output and "process started" not in output


def request_scores(peer: Peer, names: tuple[str, ...]) -> ActionScores:
    candidates = np.zeros((3, 24, len(names)), np.float32)
    goal: Image = convert.image_message(np.zeros((64, 64, 3), np.uint8), convert.header(1))
    request = ScoreActions.Request(
        candidates=convert.candidates_message(candidates, names, convert.header(0)), goal=goal
    )
    return peer.call(ScoreActions, "/robot/world_model/score_actions", request).scores


def run_launch(file: str, *arguments: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-c", RUN, str(FOLDER / file), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_S, check=False)


@pytest.mark.parametrize(
    ("file", "arguments", "reason"),
    [
        ("record.launch.py", ["storage_profile:=zip"], "storage_profile"),
        ("record.launch.py", ["max_duration_s:=long"], "expected whole seconds"),
        ("record.launch.py", ["out:=."], "expected a new folder"),
        ("replay.launch.py", [], "set bag:=<path>"),
        ("replay.launch.py", ["bag:=."], ""),
        ("replay.launch.py", ["bag:=.", "rate:=0"], "expected a number above 0"),
    ],
)
def test_a_wrong_argument_of_recording_or_replay_is_an_error_before_any_node_starts(file, arguments, reason):
    if not reason:
        arguments, reason = [*arguments, "timeout_s:=nan"], "timeout_s: expected a number above 0"
    done = run_launch(file, *arguments)
    output = done.stdout + done.stderr
    assert done.returncode == 1 and reason.lower() in output.lower()
    assert "process started" not in output


def test_a_recording_records_the_topics_of_the_namespace_with_the_storage_profile(tmp_path):
    ros2 = tmp_path / "ros2"
    ros2.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/arguments\n')
    ros2.chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
        patch.setenv("ROS_DISTRO", "jazzy")
        done = run_launch(
            "record.launch.py",
            "namespace:=robot",
            "image_topic:=cam/raw",
            "extra_topics:=/tf imu",
            f"out:={tmp_path}/bag",
        )
        assert done.returncode == 0, done.stdout + done.stderr
        arguments = (tmp_path / "arguments").read_text().split()
    assert arguments[:6] == ["bag", "record", "--storage", "mcap", "--storage-preset-profile", "zstd_fast"]
    assert arguments[6:9] == ["--output", f"{tmp_path}/bag", "--topics"]
    names = ["cam/raw/compressed", "joint_states", "joint_commands", "joint_trajectory", "recording/cut"]
    assert arguments[9:] == [*(f"/robot/{name}" for name in names), "/tf", "/robot/imu"]


def test_a_replay_plays_the_bag_to_an_active_world_model_and_ends_with_it(peer, tmp_path):
    names = ("neck", "elbow", "wrist")
    checkpoint = save_untrained(tmp_path / "checkpoint", kind="states", joints=names, aspect=4 / 3)
    bag = record(tmp_path / "bag", run(60))
    peer.subscribe(ContextStatus, "/world_model/context_status")
    command = [sys.executable, "-c", RUN, str(FOLDER / "replay.launch.py"), f"bag:={bag}", "player:=hwm"]
    log = tmp_path / "log.txt"
    with log.open("w") as out:
        launched = subprocess.Popen(
            [*command, f"checkpoint:={checkpoint}", "rate:=0.1", "planner:=true", "publish_commands:=true"],
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        peer.newest("/world_model/context_status", lambda status: status.ready)
        peer.until(lambda: peer.node.count_publishers("/joint_commands") == 2, "the player and the planner")
        asked = GetParameters.Request(names=["publish_commands", "use_sim_time"])
        values = peer.call(GetParameters, "/mpc_planner/get_parameters", asked).values
        assert [value.bool_value for value in values] == [False, True]
        assert launched.wait(120) == 0, log.read_text()
        assert "the recording is over" in log.read_text() or "messages published" in log.read_text()
    finally:
        with suppress(ProcessLookupError):
            os.killpg(launched.pid, signal.SIGKILL)


def test_a_node_that_is_killed_starts_again(peer, tmp_path):
    checkpoint = save_untrained(tmp_path / "checkpoint")
    command = [sys.executable, "-c", RUN, str(LAUNCH_FILE), f"checkpoint:={checkpoint}", "use_respawn:=true"]
    peer.subscribe(ModelInfo, "/world_model/model_info", LATCHED)
    launched = subprocess.Popen(
        command, start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        peer.newest("/world_model/model_info")
        children = subprocess.run(["pgrep", "-P", str(launched.pid)], capture_output=True, text=True, check=True)
        os.kill(int(children.stdout.split()[0]), signal.SIGKILL)
        peer.received["/world_model/model_info"].clear()
        peer.newest("/world_model/model_info")
        launched.send_signal(signal.SIGINT)
        assert launched.wait(DEADLINE_S) == 0
    finally:
        with suppress(ProcessLookupError):
            os.killpg(launched.pid, signal.SIGKILL)
