"""Processes of the nodes beside those of other users of the machine."""

import os
import subprocess
import sys

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")
from hwm_ros.processes import own_domain

pytestmark = pytest.mark.ros

OTHER = """
import os
os.getpid = lambda: 7  # both processes would choose the same domain
from hwm_ros.processes import own_domain
print(own_domain(), flush=True)
input()
"""


def test_two_processes_have_different_ros_domains_and_one_that_has_ended_leaves_its_own(monkeypatch):
    command = [sys.executable, "-c", OTHER]
    other = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    theirs = int(other.stdout.readline())
    monkeypatch.setattr(os, "getpid", lambda: 7)
    assert own_domain.__wrapped__() != theirs
    other.communicate("\n")
    monkeypatch.setattr(os, "getpid", lambda: theirs - 1)
    assert own_domain.__wrapped__() == theirs
