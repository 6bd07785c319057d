#!/usr/bin/env bash
# Activates ROS 2, the virtual environment and hwm_ros, then becomes the command, so that it gets the signals.
set -eo pipefail  # no -u: ROS 2's setup scripts read unset variables
source "/opt/ros/$ROS_DISTRO/setup.bash"
source /ros2_ws/venv/bin/activate
source /ros2_ws/install/local_setup.bash
exec "$@"
