"""How the nodes and their partners end: signals at any time, and commands that cease."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")
from action_msgs.msg import GoalStatus
from fake_world_model import PATIENT, FakeWorldModel, assert_within_limits, standing
from hwm_ros.msg import ErrorCode
from process_stages import handles_signals, imports_ros
from ros_harness import DEADLINE_S, Peer, process
from sensor_msgs.msg import JointState

from hwm_ros import convert
from hwm_ros.processes import node_process

pytestmark = pytest.mark.ros

CLIENT = """
import rclpy
from hwm_ros.action import PlanActions
from rclpy.action import ActionClient

rclpy.init()
node = rclpy.create_node("client")
client = ActionClient(node, PlanActions, "/mpc_planner/plan_actions")
client.wait_for_server()
client.send_goal_async(PlanActions.Goal(num_frames=60_000))
rclpy.spin(node)
"""
SCRIPTS = Path(__file__).parents[2] / "scripts"


def test_sigterm_while_a_goal_runs_sends_the_result_and_slows_the_robot_down(tmp_path):
    model = FakeWorldModel()
    try:
        with node_process("mpc_planner", {"publish_commands": True, **PATIENT}, tmp_path / "log.txt") as planner:
            model.wait_for_planner()
            model.place({"left_elbow": 0.9, "neck": 0.2})
            handle = model.send(num_frames=6000)
            commands = model.received["/joint_commands"]
            model.until(lambda: commands and commands[-1].position[0] < 0.8, "a motion")
            planner.send_signal(signal.SIGTERM)
            done = model.result(handle)
            assert (done.status, done.result.error_code) == (GoalStatus.STATUS_ABORTED, ErrorCode.CANCELED)
            assert "shut down" in done.result.error_msg and done.result.frames_done > 0
            assert planner.wait(DEADLINE_S) == 0
            model.until(lambda: commands[-1].position == commands[-2].position, "a last command that does not move it")
            assert np.diff([command.position[0] for command in commands]).min() < -0.05, "it was moving"
            assert_within_limits(model)
            planner.poll = lambda: None  # it has ended already
            planner.send_signal = lambda _: None
    finally:
        model.close()


@pytest.mark.slow  # the discovery of a process that was killed takes 20 s
def test_kill_9_of_the_client_ends_the_goal_and_the_next_goal_runs(tmp_path):
    model = FakeWorldModel()
    standing(model).actions.destroy()
    sender = tmp_path / "client.py"
    sender.write_text(CLIENT)
    try:
        with node_process("mpc_planner", {"publish_commands": True, **PATIENT}, tmp_path / "log.txt"):
            client = subprocess.Popen([sys.executable, str(sender)])
            model.until(lambda: len(model.received["/joint_commands"]) > 30, "commands")
            client.kill()
            client.wait()
            model.newest("/diagnostics", lambda message: "CLIENT_GONE" in message.status[0].message)
            model.connect()
            assert model.result(model.send(num_frames=3)).result.error_code == ErrorCode.NONE
    finally:
        model.close()


def signalled(name, stage, delay_s, number, log, *parameters):
    """Send a signal to a node, some time after it has come to a stage; its exit status."""
    with log.open("w") as out:
        started = subprocess.Popen(
            [sys.executable, str(SCRIPTS / name), *parameters], stdout=out, stderr=subprocess.STDOUT
        )
        deadline = time.monotonic() + DEADLINE_S
        while not stage(started.pid) and started.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        time.sleep(delay_s)
        started.send_signal(number)
        return started.wait(DEADLINE_S)


@pytest.mark.parametrize("name", ["mpc_planner", "sim_robot"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_at_any_time_ends_a_node_without_a_traceback(name, number, tmp_path):
    first = imports_ros if number == signal.SIGINT else handles_signals  # SIGTERM ends what has no handler
    for stage, delay_s in ((first, 0.0), (handles_signals, 0.8)):
        log = tmp_path / f"{stage.__name__}_{delay_s}.txt"
        assert signalled(name, stage, delay_s, number, log) in (0, -number), log.read_text()
        assert "Traceback" not in log.read_text() and "Error" not in log.read_text()


@pytest.mark.slow  # 22 starts, each with all imports
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("tenths", [0, 2, 4, 9, 14, 19, 24, 34, 44, 64, 94])
def test_a_signal_while_the_world_model_loads_ends_it_without_a_traceback(number, tenths, tmp_path):
    log, parameters = tmp_path / "log.txt", ["--ros-args", "-p", "checkpoint:=tiny"]
    assert signalled("world_model", imports_ros, tenths / 10, number, log, *parameters) in (0, -number), log.read_text()
    assert "Traceback" not in log.read_text() and "Error" not in log.read_text()


def test_the_simulated_robot_stops_by_itself_when_commands_cease(tmp_path):
    peer = Peer()
    peer.subscribe(JointState, "/joint_states", 200)
    commands = peer.node.create_publisher(JointState, "/joint_commands", 10)
    try:
        with process("sim_robot", tmp_path / "sim.txt", camera_size=32, command_timeout_s=0.05):
            start = peer.newest("/joint_states")
            peer.until(commands.get_subscription_count, "the robot's subscription")
            joint = list(start.name).index("right_shoulder_pitch")
            target = start.position[joint] + 0.8
            commands.publish(convert.joint_message(["right_shoulder_pitch"], np.array([target]), convert.header(1)))

            def time_passes(seconds):  # the robot's own time, which lags on a busy machine
                begun_ns = convert.stamp_ns(peer.received["/joint_states"][-1].header.stamp)
                end_ns = begun_ns + round(1e9 * seconds)
                peer.newest("/joint_states", lambda state: convert.stamp_ns(state.header.stamp) > end_ns)

            time_passes(2.0)
            stopped = peer.received["/joint_states"][-1].position[joint]
            assert stopped < target - 0.3, "it has not gone on to its target"
            time_passes(0.5)
            assert peer.received["/joint_states"][-1].position[joint] == pytest.approx(stopped, abs=1e-3)
    finally:
        peer.close()
