# Activates this virtual environment and the ROS 2 that is installed in it.
_prefix="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"

_prepend() {  # _prepend VARIABLE DIRECTORY: put the directory first, unless the variable holds it
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
# Without this variable, python starts itself a second time to set LD_LIBRARY_PATH.
export _ROS_WHEELS_BOOTSTRAP_COMPLETE=1
unset _prefix
