"""What pip builds: complete in wheel and source distribution, and usable from an empty directory."""

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    """A folder with the wheel and the source distribution."""
    folder, source = tmp_path_factory.mktemp("dist"), tmp_path_factory.mktemp("source") / "hwm_ros"
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes((ROOT / name).read_bytes())
    backend = "import setuptools.build_meta as b, sys; out = sys.argv[1]; b.build_sdist(out); b.build_wheel(out)"
    subprocess.run([sys.executable, "-c", backend, str(folder)], cwd=source, capture_output=True, check=True)
    return folder


def data_files() -> set[str]:
    """Files of hwm_core that are not Python."""
    listed = subprocess.run(["git", "ls-files", "hwm_core"], cwd=ROOT, capture_output=True, text=True, check=True)
    return {name for name in listed.stdout.split() if not name.endswith(".py")}


def test_the_wheel_holds_every_module_and_data_file_and_no_module_named_training(built):
    (wheel,) = built.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    assert data_files() <= names
    assert {"hwm_core/__init__.py", "hwm_training/main.py", "hwm_training/commands/train.py"} <= names
    assert {name.split("/")[0] for name in names if "dist-info" not in name} == {"hwm_core", "hwm_training"}


def test_the_source_distribution_holds_what_setup_reads_and_every_data_file(built):
    (archive,) = built.glob("*.tar.gz")
    with tarfile.open(archive) as files:
        names = {name.partition("/")[2] for name in files.getnames()}
    assert data_files() | {"requirements.txt", "README.md", "training/main.py", "setup.py"} <= names


def test_the_installed_command_works_from_an_empty_directory(built, tmp_path):
    (wheel,) = built.glob("*.whl")
    site, empty = tmp_path / "site", tmp_path / "empty"
    empty.mkdir()
    pip = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-index", "--target", str(site), str(wheel)]
    subprocess.run(pip, capture_output=True, check=True)
    environment = {**os.environ, "PYTHONPATH": str(site), "PYTHONSAFEPATH": "1"}

    def run(*command: str) -> str:
        done = subprocess.run(command, cwd=empty, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    hwm = str(site / "bin" / "hwm")
    assert run(sys.executable, "-c", "import hwm_core; print(hwm_core.__file__)").startswith(str(site))
    assert run(hwm, "--version") == "hwm 0.1.0\n"
    assert "masked" in run(hwm, "variants")
    assert "usage: hwm train" in run(hwm, "train", "--help")
    run(hwm, "sim", "record", "--out", "recordings", "--train", "1", "--val", "1", "--seconds", "1", "--processes", "1")
    robot = ("--robot", "recordings/robot.yaml", "--out", "store")
    assert "Next: hwm train-tokenizer" in run(
        hwm, "prepare", "recordings/train", "--validation", "recordings/val", *robot
    )
