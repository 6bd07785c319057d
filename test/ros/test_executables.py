"""The executables of the nodes: Ctrl-C during the imports, and wrong arguments and parameters."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts"
NODES = ("world_model", "mpc_planner", "sim_robot")


@pytest.mark.parametrize("name", NODES)
def test_ctrl_c_during_the_imports_prints_no_traceback(name, tmp_path):
    package = tmp_path / "hwm_ros"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / f"{name}.py").write_text("import time\nprint('importing', flush=True)\ntime.sleep(60)\n")
    process = subprocess.Popen(
        [sys.executable, str(SCRIPTS / name)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": str(tmp_path)},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "importing\n"
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert (process.returncode, errors) == (-signal.SIGINT, "")


@pytest.mark.ros
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("-p", "camera_size:=large"), "camera_size"),
        (("-p", "camera_size:=1"), "camera_size"),
        (("--params-file", "missing.yaml"), "missing.yaml"),
    ],
)
def test_a_node_with_wrong_arguments_ends_with_a_message_and_no_traceback(arguments, message):
    pytest.importorskip("rclpy", reason="needs ROS 2")
    command = [sys.executable, str(SCRIPTS / "sim_robot"), "--ros-args", *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 1, ended.stderr
    assert message in ended.stderr
    assert "Traceback" not in ended.stderr
