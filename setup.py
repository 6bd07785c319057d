"""For pip alone: `pip install .` brings hwm_core and training where there is no ROS. ROS 2 builds by CMakeLists.txt."""

from pathlib import Path

from setuptools import setup

requirements = [
    line.split("#")[0].strip()
    for line in Path(__file__).with_name("requirements.txt").read_text(encoding="utf-8").splitlines()
    if line.split("#")[0].strip()
]

setup(
    name="hwm_ros",
    version="0.1.0",
    description="Humanoid World Models: predict a robot's camera and score its actions",
    license="Apache-2.0",
    python_requires=">=3.10",
    packages=[
        "hwm_core",
        "hwm_core.assets",
        "hwm_core.challenge",
        "hwm_core.data",
        "hwm_core.evaluation",
        "hwm_core.metrics",
        "hwm_core.models",
        "hwm_core.nn",
        "hwm_core.pictures",
        "hwm_core.planning",
        "hwm_core.planning.costs",
        "hwm_core.sampling",
        "hwm_core.sim",
        "hwm_core.tokenizers",
        "hwm_core.train",
        "training",
    ],
    package_data={
        "hwm_core": ["assets/**/*", "data/layouts/*.yaml", "evaluation/*.html", "presets/*.yaml", "sim/*.xml"],
    },
    install_requires=requirements,
)
