"""Plays a recording to the world model, which follows the recorded time. No command is published.

The recording starts when the world model is active. All arguments of world_model.launch.py can be given too.
"""

import sys
from pathlib import Path

from ament_index_python.packages import get_package_share_directory
from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity
from launch.actions import ExecuteProcess, IncludeLaunchDescription, OpaqueFunction, RegisterEventHandler, Shutdown
from launch.event_handlers import OnProcessExit
from launch.events.process import ProcessExited
from launch.launch_description_sources import PythonLaunchDescriptionSource

from hwm_ros.launching import SWITCH, declared, full_name, is_true, value

# Ticks of the recorded time per second of the wall: finer than the periods of most joint states.
CLOCK_HZ = "200"

ARGUMENTS = (
    ("bag", "", "recording: a rosbag2 folder, or one .mcap or .db3 file", None),
    ("rate", "1.0", "recorded seconds per second", None),
    ("loop", "false", "start again at the end, until stopped", SWITCH),
    ("start_paused", "false", "wait for the player's service `resume`", SWITCH),
    ("player", "ros2", "ros2: `ros2 bag play`; hwm: `hwm play`, which needs no rosbag2 packages", ("ros2", "hwm")),
    ("timeout_s", "300", "longest time until the world model is active", None),
)
PLAYERS = {"ros2": ["ros2", "bag", "play"], "hwm": ["hwm", "play"]}


def _check(context: LaunchContext) -> None:
    """Before any node starts: launch would end without the nodes that run already."""
    bag = value(context, "bag")
    if not bag or not Path(bag).exists():
        raise FileNotFoundError(f"bag: expected the path of a recording, got `{bag}`. Set bag:=<path>.")
    for name in ("rate", "timeout_s"):
        _require_positive(name, value(context, name))


def _replay(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    options = ["--rate", value(context, "rate"), "--clock", CLOCK_HZ]
    options += ["--loop"] if is_true(context, "loop") else []
    options += ["--start-paused"] if is_true(context, "start_paused") else []
    player = ExecuteProcess(
        cmd=[*PLAYERS[value(context, "player")], value(context, "bag"), *options],
        output="screen",
        on_exit=Shutdown(reason="the recording is over"),
    )
    node, timeout_s = full_name(context, "world_model"), value(context, "timeout_s")
    waiting = ExecuteProcess(
        cmd=[sys.executable, "-m", "hwm_ros.wait_active", node, "--timeout", timeout_s], output="screen"
    )

    def begin(event: ProcessExited, _: LaunchContext) -> LaunchDescriptionEntity:
        return player if event.returncode == 0 else Shutdown(reason="the world model did not become active")

    return [waiting, RegisterEventHandler(OnProcessExit(target_action=waiting, on_exit=begin))]


def _require_positive(name: str, text: str) -> None:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise ValueError(f"{name}: expected a number above 0, got `{text}`.")


def generate_launch_description() -> LaunchDescription:
    nodes = Path(get_package_share_directory("hwm_ros")) / "launch" / "world_model.launch.py"
    replayed = {"use_sim_time": "true", "publish_commands": "false", "sim": "false"}
    included = IncludeLaunchDescription(PythonLaunchDescriptionSource(str(nodes)), launch_arguments=replayed.items())
    check, replay = OpaqueFunction(function=_check), OpaqueFunction(function=_replay)
    return LaunchDescription([*declared(ARGUMENTS), check, included, replay])
