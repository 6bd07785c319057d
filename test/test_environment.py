"""`make` and the scripts that set up the environment. Fake pip and venv modules replace the real ones: no downloads."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SCRIPTS = sorted(path for path in (ROOT / ".ci").iterdir() if path.is_file() and path.suffix in ("", ".bash"))
BASE_PYTHON = os.path.realpath(sys._base_executable)


def run(command: list[str | Path], **kwargs) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, **kwargs)


class Machine:
    """A fresh machine: a copy of the set-up's inputs, a PATH with selected commands, and fake pip and venv modules.

    The fake pip writes the arguments of each call to one line of a file.
    """

    SYSTEM = (
        "awk",
        "bash",
        "cat",
        "chmod",
        "cp",
        "cut",
        "dirname",
        "flock",
        "grep",
        "head",
        "ln",
        "mkdir",
        "rm",
        "sed",
    )
    SYSTEM += ("sha256sum", "uname")
    BUILD = ("cmake", "g++", "make")

    def __init__(self, root: Path) -> None:
        self.root = root / "checkout"
        self.path = root / "bin"
        self.fakes = root / "fakes"
        self.pip_calls = root / "pip_calls"
        self.environment: dict[str, str] = {}
        shutil.copytree(ROOT / ".ci", self.root / ".ci")
        for requirements in ROOT.glob("requirements*.txt"):
            shutil.copy(requirements, self.root)
        self.path.mkdir()
        self.have(*self.SYSTEM, *self.BUILD)
        self.free_disk(megabytes=50_000)
        self.module(
            "venv",
            "import os, pathlib, sys\n"
            "root = pathlib.Path(sys.argv[-1])\n"
            "(root / 'bin').mkdir(parents=True, exist_ok=True)\n"
            "if not (root / 'bin/python').exists(): os.symlink(sys.executable, root / 'bin/python')\n",
        )
        self.module("pip", f"import sys\nprint(*sys.argv[1:], file=open({str(self.pip_calls)!r}, 'a'))\n")

    def module(self, name: str, main: str = "", init: str = "") -> None:
        """Add a fake Python module."""
        folder = self.fakes / name
        folder.mkdir(parents=True)
        (folder / "__init__.py").write_text(init)
        (folder / "__main__.py").write_text(main)

    def have(self, *commands: str) -> None:
        """Add commands of this machine to the PATH."""
        for command in commands:
            found = shutil.which(command)
            assert found, f"this machine lacks {command}"
            (self.path / command).symlink_to(found)

    def fake(self, command: str, script: str) -> None:
        """Replace a command by lines of bash."""
        path = self.path / command
        path.unlink(missing_ok=True)  # a link to this machine's command must not be written through
        path.write_text(f"#!/bin/bash\n{script}\n")
        path.chmod(0o755)

    def free_disk(self, megabytes: int) -> None:
        """Set the free space that `df` reports, whatever this machine has."""
        self.fake("df", f"echo header\necho /dev/vda 900000 {900_000 - megabytes} {megabytes} 50% /")

    def lack(self, *commands: str) -> None:
        """Remove commands from the PATH."""
        for command in commands:
            (self.path / command).unlink()

    def source_ros(self) -> None:
        """Act like `source /opt/ros/jazzy/setup.bash`."""
        self.environment |= {"ROS_DISTRO": "jazzy", "AMENT_PREFIX_PATH": "/opt/ros/jazzy"}
        self.module("rclpy")
        self.module("cv2")
        self.module("numpy", init="__version__ = '1.26.4'")
        (self.path / "colcon").symlink_to("/bin/true")

    def setup(self, python: str = BASE_PYTHON, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run .ci/setup."""
        base = {"PATH": str(self.path), "PYTHONPATH": str(self.fakes), "PYTHON": python}
        return run(["bash", self.root / ".ci" / "setup"], env=base | self.environment | environment)

    def pip_log(self) -> str:
        return self.pip_calls.read_text() if self.pip_calls.exists() else ""


@pytest.fixture
def machine(tmp_path) -> Machine:
    if sys.version_info < (3, 11):
        pytest.skip("the set-up without a sourced ROS 2 needs CPython 3.11 or newer")
    return Machine(tmp_path)


def test_make_without_a_target_prints_help_with_every_target():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)[1].split()
    printed = run(["make", "--no-print-directory", "-C", ROOT]).stdout
    assert re.findall(r"^  make ([a-z0-9-]+) +\S", printed, re.MULTILINE) == targets


def test_help_lists_every_variable():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    printed = run(["make", "--no-print-directory", "-C", ROOT, "help"]).stdout
    assert printed.splitlines()[-1].split() == re.findall(r"^([A-Z0-9_]+) \?=", makefile, re.MULTILINE)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_the_script_is_valid_bash_and_executable_if_it_has_a_shebang(script):
    assert run(["bash", "-n", script]).stderr == ""
    assert os.access(script, os.X_OK) == script.read_text(encoding="utf-8").startswith("#!/usr/bin/env bash\n")


def test_a_setup_makes_the_command_hwm_of_the_checkout(machine):
    assert machine.setup().returncode == 0
    command = machine.root / ".venv" / "bin" / "hwm"
    assert os.access(command, os.X_OK) and f"sys.path.insert(0, '{machine.root}')" in command.read_text()


def test_the_python_of_the_environment_imports_the_library_of_the_checkout_from_any_directory(machine):
    packages = machine.root / ".venv/lib/python3.11/site-packages"
    packages.mkdir(parents=True)
    assert machine.setup().returncode == 0
    assert (packages / "hwm_checkout.pth").read_text() == f"{machine.root}\n"


def test_worker_processes_can_import_the_command_hwm_again_without_running_it(machine):
    assert machine.setup().returncode == 0
    (machine.root / "training").mkdir()
    (machine.root / "training" / "main.py").write_text("def main(): print('ran')\n")
    command = machine.root / ".venv" / "bin" / "hwm"
    assert run([command]).stdout == "ran\n"
    imported = run([sys.executable, "-c", f"import runpy; runpy.run_path({str(command)!r}, run_name='__mp_main__')"])
    assert (imported.returncode, imported.stdout) == (0, "")


def test_a_fresh_machine_gets_torch_first_then_the_pinned_requirements_and_ros(machine):
    done = machine.setup()
    assert done.returncode == 0, done.stderr
    assert [line.split("--disable-pip-version-check ")[1] for line in machine.pip_log().splitlines()] == [
        "-qq -c .ci/constraints.txt pip>=24",
        "-qq torch==2.13.0",
        "-qq -c .ci/constraints.txt -r .ci/requirements.txt -r .ci/ros_jazzy_wheels.txt",
    ]
    assert (machine.root / ".venv" / "local_setup.bash").exists()
    assert (machine.root / ".venv" / "share" / "ros_wheels" / "toolchain.cmake").exists()


def test_a_second_setup_does_nothing_and_prints_nothing(machine):
    machine.setup()
    machine.pip_calls.unlink()
    again = machine.setup()
    assert (again.returncode, again.stdout, again.stderr, machine.pip_log()) == (0, "", "", "")


def test_the_torch_requirement_and_its_index_can_be_set(machine):
    machine.setup()
    machine.setup(TORCH="torch==2.12.0+cpu", TORCH_INDEX="https://wheels.example/cpu")
    assert "--extra-index-url https://wheels.example/cpu torch==2.12.0+cpu" in machine.pip_log()


def test_with_a_sourced_ros_no_ros_wheel_is_installed_and_its_numpy_and_cv2_are_kept(machine):
    machine.source_ros()
    done = machine.setup()
    assert done.returncode == 0, done.stderr
    assert "ros_jazzy_wheels" not in machine.pip_log()
    venv = machine.root / ".venv"
    assert (venv / "constraints.txt").read_text() == "numpy==1.26.4\n"
    requirements = (venv / "requirements.txt").read_text()
    assert "mujoco==" in requirements
    assert "pytest" in requirements
    assert "\nopencv" not in requirements
    assert not (venv / "local_setup.bash").exists()


@pytest.mark.parametrize(
    ("lacking", "line"),
    [
        (("g++",), "sudo apt install g++"),
        (("cmake", "make"), "sudo apt install cmake make"),
        (("g++", "cmake", "make"), "sudo apt install g++ cmake make"),
    ],
)
def test_a_missing_system_package_is_reported_with_its_apt_command_before_any_download(machine, lacking, line):
    machine.lack(*lacking)
    failed = machine.setup()
    assert failed.returncode != 0
    assert line in failed.stderr.splitlines()[-1]
    assert "nothing has been downloaded yet" in failed.stderr
    assert machine.pip_log() == ""
    assert not (machine.root / ".venv").exists()


def test_a_missing_opengl_library_is_reported(machine):
    machine.module("ctypes", init="def CDLL(name): raise OSError(name)")
    failed = machine.setup()
    assert failed.returncode != 0
    assert failed.stderr.splitlines()[-1].strip() == "sudo apt install libegl1 libgl1-mesa-dri"


def test_a_missing_colcon_is_reported_with_a_sourced_ros(machine):
    machine.source_ros()
    machine.lack("colcon")
    assert "sudo apt install python3-colcon-common-extensions" in machine.setup().stderr


def test_a_python_without_ros_wheels_is_rejected_with_the_supported_versions(machine):
    old = machine.path / "python3.9"
    old.write_text('#!/bin/bash\n[ "$1" = --version ] && echo Python 3.9.19\nexit 1\n')
    old.chmod(0o755)
    failed = machine.setup(python=str(old))
    assert failed.returncode != 0
    assert "CPython 3.11 to 3.14" in failed.stderr
    assert "Python 3.9.19" in failed.stderr
    assert machine.pip_log() == ""


def test_a_python_that_cannot_import_the_sourced_rclpy_is_rejected(machine):
    machine.source_ros()
    shutil.rmtree(machine.fakes / "rclpy")
    failed = machine.setup(python=f"{BASE_PYTHON}")
    assert failed.returncode != 0
    assert "imports the rclpy of the sourced ROS 2 (jazzy)" in failed.stderr


def test_on_a_platform_without_wheels_the_error_asks_for_a_sourced_ros(machine):
    machine.fake("uname", "echo Linux aarch64")
    failed = machine.setup()
    assert failed.returncode != 0
    assert "this machine is Linux aarch64. Install ROS 2 and source it" in failed.stderr


def test_a_full_disk_is_reported_before_any_download(machine):
    machine.free_disk(megabytes=1000)
    failed = machine.setup()
    assert failed.returncode != 0
    assert "has 1000 MB" in failed.stderr
    assert machine.pip_log() == ""
