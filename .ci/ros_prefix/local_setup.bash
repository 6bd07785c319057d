# Makes this virtual environment, filled with ROS 2 wheels, the ROS prefix of the shell that sources it.
_prefix="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"

_prepend() {  # _prepend VARIABLE DIRECTORY: put the directory in front, once
  case ":${!1:-}:" in
    *":$2:"*) ;;
    *) export "$1=$2${!1:+:${!1}}" ;;
  esac
}
_prepend PATH "$_prefix/bin"
_prepend LD_LIBRARY_PATH "$_prefix/lib"
_prepend AMENT_PREFIX_PATH "$_prefix"
_prepend CMAKE_PREFIX_PATH "$_prefix"
unset -f _prepend

export VIRTUAL_ENV="$_prefix"
export CMAKE_TOOLCHAIN_FILE="$_prefix/share/ros_wheels/toolchain.cmake"
export ROS_DISTRO=jazzy ROS_VERSION=2 ROS_PYTHON_VERSION=3
# Without this each start of python executes itself a second time, to set LD_LIBRARY_PATH as it is set above.
export _ROS_WHEELS_BOOTSTRAP_COMPLETE=1
unset _prefix
