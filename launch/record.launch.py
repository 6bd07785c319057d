"""Records what a world model is trained on, with `ros2 bag record`. Ctrl-C ends the recording."""

from pathlib import Path

from launch import LaunchContext, LaunchDescription
from launch.actions import ExecuteProcess, OpaqueFunction, Shutdown

from hwm_ros.distributions import bag_record_topics
from hwm_ros.launching import NAMESPACE, SWITCH, TOPICS, declared, full_name, is_true, large_images, value

# Of rosbag2_storage_mcap. `fastwrite` writes no index: add one with `ros2 bag convert` before a long storage.
PROFILES = ("none", "fastwrite", "zstd_fast", "zstd_small")

ARGUMENTS = (
    NAMESPACE,
    ("out", "", "folder of the new recording; empty: named by the time, in the working folder", None),
    (
        "images",
        "compressed",
        "camera topic that is recorded: <image_topic>/compressed, or raw images",
        ("raw", "compressed"),
    ),
    ("storage_profile", "zstd_fast", "how the mcap file is written", PROFILES),
    ("max_duration_s", "0", "start another file of the recording after so long; 0: never", None),
    ("use_sim_time", "false", "stamp received messages with /clock", SWITCH),
    ("extra_topics", "", "further topics, separated by spaces, for example: /robot_description /diagnostics", None),
    *TOPICS,
)


def _record(context: LaunchContext) -> list[ExecuteProcess]:
    out, duration = value(context, "out"), value(context, "max_duration_s")
    if out and Path(out).exists():
        raise FileExistsError(f"out: expected a new folder, got `{out}`, which exists. Choose another name.")
    if not duration.isdigit():
        raise ValueError(f"max_duration_s: expected whole seconds, got `{duration}`.")
    suffix = "/compressed" if value(context, "images") == "compressed" else ""
    topics = [value(context, "image_topic") + suffix]
    topics += [value(context, name) for name, *_ in TOPICS if name != "image_topic"]
    topics += value(context, "extra_topics").split()
    options = ["--output", out] if out else []
    options += ["--max-bag-duration", duration] if int(duration) else []
    options += ["--use-sim-time"] if is_true(context, "use_sim_time") else []
    names = bag_record_topics([full_name(context, topic) for topic in topics])
    storage = ["--storage", "mcap", "--storage-preset-profile", value(context, "storage_profile")]
    return [
        ExecuteProcess(
            cmd=["ros2", "bag", "record", *storage, *options, *names],
            output="screen",
            sigterm_timeout="30",  # time to write what is in the cache
            on_exit=Shutdown(reason="the recording has ended"),
        )
    ]


def generate_launch_description() -> LaunchDescription:
    return LaunchDescription([*declared(ARGUMENTS), *large_images(), OpaqueFunction(function=_record)])
