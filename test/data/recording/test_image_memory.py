"""Images that are decoded one after the other use the same memory."""

import platform
import subprocess
import sys

import pytest

# The images of a message that is decoded: its bytes, what OpenCV decodes, and the result.
_COUNT_FAULTS = """
import resource, sys
import numpy as np
from hwm_core.data.recording.image_memory import keep_image_memory
if sys.argv[1] == "kept":
    keep_image_memory()
def faults(count):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(count):
        images = [np.ones((480, 640, 3), np.uint8) for _ in range(3)]
        del images
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
faults(5)
print(faults(20) / 20)
"""


def faults_of_an_image(memory: str) -> float:
    done = subprocess.run([sys.executable, "-c", _COUNT_FAULTS, memory], capture_output=True, text=True, check=True)
    return float(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc gives freed memory back at once")
def test_images_need_no_new_pages_where_those_before_had_the_same_size():
    """An image of 640x480 has 225 pages of 4 kB."""
    assert faults_of_an_image("kept") < 10
    assert faults_of_an_image("given back") > 225
