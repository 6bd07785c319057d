# Sourced by the scripts of this folder. Sets root, venv and ros_mode: "sourced" if a ROS 2 is sourced, else "wheels".
# shellcheck shell=bash
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
venv="$root/.venv"
ros_mode=wheels
case ":${AMENT_PREFIX_PATH:-}:" in
  *":$venv:"*) ;;  # the sourced ROS 2 is the one in .venv
  *) [ -z "${ROS_DISTRO:-}" ] || ros_mode=sourced ;;
esac

activate() {  # activate ROS 2 and the virtual environment, without this package
  if [ $ros_mode = wheels ]; then
    source "$venv/local_setup.bash"
  else
    source "$venv/bin/activate"
  fi
}
