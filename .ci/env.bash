# Sourced by the scripts of this folder. Sets root, venv and ros_mode: "sourced" if a ROS 2 is sourced, else "wheels".
# shellcheck shell=bash
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
venv="$root/.venv"
ros_mode=wheels
case ":${AMENT_PREFIX_PATH:-}:" in
  *":$venv:"*) ;;  # the sourced ROS 2 is the one in .venv
  *) [ -z "${ROS_DISTRO:-}" ] || ros_mode=sourced ;;
esac

# What the tools would otherwise write below the home directory; logs are removed by `make clean`.
export ROS_HOME="${ROS_HOME:-$root/log/ros}"
export MPLCONFIGDIR="${MPLCONFIGDIR:-$venv/cache/matplotlib}"
export MESA_SHADER_CACHE_DIR="${MESA_SHADER_CACHE_DIR:-$venv/cache/mesa}"

activate() {  # activate ROS 2 and the virtual environment, without this package
  if [ $ros_mode = wheels ]; then
    source "$venv/local_setup.bash"
  else
    source "$venv/bin/activate"
  fi
}
