"""Package definition for pip: `pip install .` installs hwm_core, the recipes and `hwm`. ROS 2 uses CMakeLists.txt."""

from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent


def requirements(name: str) -> list[str]:
    """The requirements in a file, without its comments."""
    lines = (HERE / name).read_text(encoding="utf-8").splitlines()
    return [line.split("#")[0].strip() for line in lines if line.split("#")[0].strip()]


# The folder training/ is installed as hwm_training: nobody's site-packages gets a module named `training`.
RECIPES = [name.replace("training", "hwm_training", 1) for name in find_packages(include=["training", "training.*"])]

setup(
    name="hwm_ros",
    version="0.1.0",
    description="Humanoid World Models: predict a robot's camera images and score its actions",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.10",
    packages=[*find_packages(include=["hwm_core", "hwm_core.*"]), *RECIPES],
    package_dir={"hwm_training": "training"},
    package_data={
        "hwm_core": [
            "assets/**/*",
            "data/robot/embodiments/*.yaml",
            "evaluation/*.html",
            "presets/*.yaml",
            "sim/*.xml",
        ],
    },
    entry_points={"console_scripts": ["hwm = hwm_training.main:main"]},
    install_requires=requirements("requirements.txt"),
    extras_require={
        "docs": ["furo", "myst-parser", "sphinx>=8.2"],
        "test": ["pytest>=7,<8.4", "pytest-xdist"],
        "wan": requirements("requirements-wan.txt"),
    },
)
