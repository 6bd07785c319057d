"""package.xml, CMakeLists.txt, setup.py and requirements.txt agree with each other and with the repository."""

import ast
import fnmatch
import re
import runpy
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
import setuptools
import yaml

from hwm_core import pretrained

ROOT = Path(__file__).parent.parent

INTERFACES = ("action", "msg", "srv")
MANIFEST = ET.parse(ROOT / "package.xml").getroot()
CMAKE = (ROOT / "CMakeLists.txt").read_text(encoding="utf-8")


def setup_arguments() -> dict[str, Any]:
    """What setup.py passes to setuptools."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        given: dict[str, Any] = {}
        patch.setattr(setuptools, "setup", given.update)
        runpy.run_path("setup.py")
    return given


SETUP = setup_arguments()


def folders_of_modules(*names: str) -> set[str]:
    return {".".join(path.parent.relative_to(ROOT).parts) for name in names for path in (ROOT / name).rglob("*.py")}


def python_packages(*names: str) -> set[str]:
    return {
        ".".join(path.parent.relative_to(ROOT).parts) for name in names for path in (ROOT / name).rglob("__init__.py")
    }


def required_distributions() -> set[str]:
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    return {re.split(r"[<>=# ]", line)[0].lower() for line in lines if line and not line.startswith("#")}


def test_cmake_generates_every_interface():
    listed = re.search(r"rosidl_generate_interfaces\((.*?)\bDEPENDENCIES", CMAKE, re.DOTALL)[1].split()[1:]
    found = [str(path.relative_to(ROOT)) for kind in INTERFACES for path in (ROOT / kind).iterdir()]
    assert listed == sorted(found)


def test_the_packages_that_interfaces_use_are_found_and_declared():
    text = "".join(path.read_text(encoding="utf-8") for kind in INTERFACES for path in (ROOT / kind).iterdir())
    used = set(re.findall(r"^(\w+)/\w+", text, re.MULTILINE)) - {"hwm_ros"}
    used.add("action_msgs")  # every action uses its services
    dependencies = set(re.search(r"DEPENDENCIES (.*)", CMAKE)[1].split())
    assert dependencies == used
    assert {element.text for element in MANIFEST.iter("depend")} == used
    assert used <= set(re.findall(r"find_package\((\w+)", CMAKE))


def test_every_node_script_is_installed_and_executable():
    installed = re.findall(r"scripts/(\w+)", CMAKE)
    scripts = sorted(path for path in (ROOT / "scripts").iterdir() if path.is_file())
    assert installed == [path.name for path in scripts]
    for script in scripts:
        assert script.read_text(encoding="utf-8").startswith("#!/usr/bin/env python3\n")
        assert script.stat().st_mode & 0o111
    # Its worker processes import the script again.
    assert '\nif __name__ == "__main__":' in (ROOT / "scripts/hwm").read_text(encoding="utf-8")


def test_all_files_state_the_same_version():
    import hwm_core

    version = MANIFEST.findtext("version")
    assert SETUP["version"] == version
    assert hwm_core.__version__ == version
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))["version"] == version
    assert version in (ROOT / "CHANGELOG.rst").read_text(encoding="utf-8")


def test_pip_installs_every_package_that_runs_without_ros_and_no_module_named_training():
    recipes = {name.replace("training", "hwm_training", 1) for name in python_packages("training")}
    assert set(SETUP["packages"]) == python_packages("hwm_core") | recipes
    assert SETUP["package_dir"] == {"hwm_training": "training"}


def test_pip_installs_every_file_that_is_not_python():
    patterns = SETUP["package_data"]["hwm_core"]
    core = ROOT / "hwm_core"
    data = [
        path.relative_to(core)
        for path in core.rglob("*")
        if path.is_file() and path.suffix not in (".py", ".pyc") and "__pycache__" not in path.parts
    ]
    assert data
    assert not [path for path in data if not any(fnmatch.fnmatch(str(path), p.replace("**/", "*")) for p in patterns)]


# Distributions whose module has a different name.
MODULE_OF = {"opencv-python-headless": "cv2", "pillow": "PIL", "pyyaml": "yaml"}
# Not imported directly: torch.utils.tensorboard imports it.
INDIRECT = {"tensorboard"}
# Optional: used if the user has installed it.
OPTIONAL = {"cosmos_tokenizer"}
# Of the extra `wan`; others of them are imported by name (`hwm_core.pretrained`).
EXTRA = {"diffusers", "peft"}


def test_the_required_distributions_are_exactly_the_imported_ones():
    imported = set()
    for path in [*(ROOT / "hwm_core").rglob("*.py"), *(ROOT / "training").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                imported.add(node.module.split(".")[0])
    imported -= set(sys.stdlib_module_names) | {"hwm_core", "training"} | OPTIONAL | EXTRA
    assert imported | INDIRECT == {MODULE_OF.get(name, name) for name in required_distributions()}


def test_the_extra_for_wan_is_what_the_error_about_a_missing_package_lists():
    required = {re.split("[<>=]", line)[0] for line in SETUP["extras_require"]["wan"]}
    assert required == set(pretrained._EXTRA) and required >= EXTRA


# Not imported: what generates and runs them.
USED_OTHERWISE = {
    "rmw_fastrtps_cpp": "config/fastdds_large_images.xml is its profile",
    "ros2bag": "the command of record.launch.py and replay.launch.py",
    "ros2launch": "the command that runs the launch files",
    "rosbag2_storage_mcap": "the storage of record.launch.py",
    "rosidl_default_runtime": "runs the interfaces",
}


def test_package_xml_lists_the_packages_of_ros_that_are_used_and_no_others():
    listed = {element.text for element in [*MANIFEST.iter("exec_depend"), *MANIFEST.iter("depend")]}
    listed = {name for name in listed if not name.startswith("python3-")}
    imported = set()
    for path in [*(ROOT / "hwm_ros").rglob("*.py"), *(ROOT / "launch").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                imported.add(node.module.split(".")[0])
    pip = {MODULE_OF.get(name, name) for name in required_distributions()}
    imported -= set(sys.stdlib_module_names) | pip | {"hwm_core", "hwm_ros", "training", "benchmarks"}
    assert listed == imported | set(USED_OTHERWISE) | {"action_msgs"}


def test_package_xml_has_no_pip_keys():
    # With a pip key, `rosdep install` runs pip, which fails where Python is externally managed.
    assert not [element.text for element in MANIFEST if (element.text or "").endswith("-pip")]


def test_no_package_of_ros_is_a_pip_requirement():
    assert not required_distributions() & {"rclpy", "cv-bridge", "sensor-msgs-py", "cosmos-tokenizer"}


def test_the_large_image_profile_has_enough_shared_memory_for_a_full_image():
    profile = ET.parse(ROOT / "config" / "fastdds_large_images.xml").getroot()
    namespace = {"p": "http://www.eprosima.com/XMLSchemas/fastRTPS_Profiles"}
    assert int(profile.findtext(".//p:segment_size", namespaces=namespace)) == 16 * 2**20
    assert int(profile.findtext(".//p:maxMessageSize", namespaces=namespace)) == 4 * 2**20
    kinds = [element.text for element in profile.iterfind(".//p:transport_descriptor/p:type", namespace)]
    assert kinds == ["SHM", "UDPv4"]


@pytest.mark.parametrize("marker", ["slow", "gpu", "ros", "realdata", "launch"])
def test_the_marker_is_registered(marker, pytestconfig):
    assert any(line.startswith(f"{marker}:") for line in pytestconfig.getini("markers"))
