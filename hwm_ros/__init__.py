"""ROS 2 nodes for hwm_core. A node declares parameters, converts messages, calls the library and publishes results."""

from pkgutil import extend_path

# The generated messages are in an installed package of the same name. Without this line, the source tree would hide it.
__path__ = extend_path(__path__, __name__)
