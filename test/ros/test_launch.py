"""The launch file with the real launch package: nodes become active, score candidates and exit cleanly."""

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
from hwm_ros.msg import ActionScores, ContextStatus, ErrorCode
from hwm_ros.srv import ScoreActions
from lifecycle_msgs.msg import State
from lifecycle_msgs.srv import GetState
from ros_harness import Peer
from sensor_msgs.msg import Image

from hwm_core.sim.model import joints
from hwm_ros import convert

pytestmark = [pytest.mark.ros, pytest.mark.launch]

LAUNCH_FILE = Path(__file__).parents[2] / "launch" / "world_model.launch.py"
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
        assert launched.wait(30) == 0, log.read_text()
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
    launched = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    output = launched.stdout + launched.stderr
    assert launched.returncode == 1, output
    assert argument.split(":=")[0] in output
    assert "process started" not in output


@pytest.mark.parametrize("text", ["a: [", "just words", "world_model: 3"])
def test_a_params_file_that_is_no_parameter_file_is_an_error_before_any_node_starts(text, tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text(text)
    command = [sys.executable, "-c", RUN, str(LAUNCH_FILE), f"params_file:={path}", "sim:=true"]
    launched = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    output = launched.stdout + launched.stderr
    assert launched.returncode == 1 and "params_file" in output and "process started" not in output


def request_scores(peer: Peer, names: tuple[str, ...]) -> ActionScores:
    candidates = np.zeros((3, 24, len(names)), np.float32)
    goal: Image = convert.image_message(np.zeros((64, 64, 3), np.uint8), convert.header(1))
    request = ScoreActions.Request(
        candidates=convert.candidates_message(candidates, names, convert.header(0)), goal=goal
    )
    return peer.call(ScoreActions, "/robot/world_model/score_actions", request).scores
