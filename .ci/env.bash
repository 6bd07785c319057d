# Sourced by the scripts beside it. Sets root, venv and ros_mode: "sourced" when the shell brings a ROS 2, else "wheels".
# shellcheck shell=bash
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
venv="$root/.venv"
ros_mode=wheels
case ":${AMENT_PREFIX_PATH:-}:" in
  *":$venv:"*) ;;  # our own wheels, sourced by hand: still ours
  *) [ -z "${ROS_DISTRO:-}" ] || ros_mode=sourced ;;
esac

activate() {  # ROS 2 and the virtual environment, without the package itself
  if [ $ros_mode = wheels ]; then
    source "$venv/local_setup.bash"
  else
    source "$venv/bin/activate"
  fi
}
