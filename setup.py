"""Package definition for pip: `pip install .` installs hwm_core and training without ROS. ROS 2 uses CMakeLists.txt."""

from pathlib import Path

from setuptools import find_packages, setup

requirements = [
    line.split("#")[0].strip()
    for line in Path(__file__).with_name("requirements.txt").read_text(encoding="utf-8").splitlines()
    if line.split("#")[0].strip()
]

setup(
    name="hwm_ros",
    version="0.1.0",
    description="Humanoid World Models: predict a robot's camera images and score its actions",
    license="Apache-2.0",
    python_requires=">=3.10",
    packages=find_packages(include=["hwm_core", "hwm_core.*", "training"]),
    package_data={
        "hwm_core": [
            "assets/**/*",
            "data/robot/embodiments/*.yaml",
            "evaluation/*.html",
            "presets/*.yaml",
            "sim/*.xml",
        ],
    },
    install_requires=requirements,
)
