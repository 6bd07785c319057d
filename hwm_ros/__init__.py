"""ROS 2 nodes over hwm_core: declare, convert, call, publish."""

from pkgutil import extend_path

# The generated messages live in an installed package of the same name; without this the source tree hides them.
__path__ = extend_path(__path__, __name__)
