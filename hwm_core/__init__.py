"""Humanoid World Models: the library. No ROS, no printing, no environment, no network."""

__version__ = "0.1.0"
