"""The container recipe agrees with package.xml, requirements.txt and the repository. No image is built here."""

import json
import re
import subprocess
import xml.etree.ElementTree as ET
from pathlib import Path

ROOT = Path(__file__).parent.parent
RECIPE = (ROOT / "docker/Dockerfile").read_text(encoding="utf-8")


def instructions() -> list[tuple[str, str]]:
    """(instruction, arguments) of the recipe, with continued lines joined."""
    lines = [line for line in RECIPE.splitlines() if not line.startswith("#")]
    joined = re.sub(r"\s*\\\n\s*", " ", "\n".join(lines))
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in joined.splitlines() if line.strip())]


def arguments_of(word: str) -> list[str]:
    return [rest for name, rest in instructions() if name == word]


def test_the_recipe_has_one_base_for_all_distributions() -> None:
    assert arguments_of("FROM") == ["ros:${ROS_DISTRO}-ros-base"]
    order = [word for word, _ in instructions()]
    assert order[:2] == ["ARG", "FROM"], "only an argument before FROM can choose the base"
    assert set(order) <= {"ARG", "FROM", "SHELL", "RUN", "WORKDIR", "COPY", "ENTRYPOINT", "CMD"}
    distributions = "humble|iron|jazzy|kilted|lyrical|rolling"
    assert re.findall(distributions, "".join(rest for _, rest in instructions())) == ["jazzy"], "only as a default"


def test_every_copied_file_exists_and_is_sent_to_the_builder() -> None:
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").split("\n")
    for source in [rest.split()[0] for rest in arguments_of("COPY")]:
        assert (ROOT / source).exists() and source not in ignored, source
    assert {".git", ".venv", "build", "install", "log", "runs"} <= set(ignored)


def test_packages_of_package_xml_come_by_rosdep_and_no_second_list_repeats_them() -> None:
    text = " ".join(arguments_of("RUN"))
    assert "rosdep install --from-paths src --ignore-src -y" in text
    [listed] = re.findall(r"apt-get install -y --no-install-recommends ([^&]*)", text)
    manifest = {element.text for element in ET.parse(ROOT / "package.xml").getroot() if element.text}
    assert not set(listed.split()) & manifest
    checked = (ROOT / ".ci/check_system").read_text(encoding="utf-8")
    for package in listed.split():
        assert package.replace("python3", "$python_package") in checked, f"{package} is not a need of .ci/check_system"


def test_python_packages_come_from_requirements_with_the_numpy_of_ros() -> None:
    text = " && ".join(arguments_of("RUN"))
    assert "--system-site-packages" in text and "COLCON_IGNORE" in text
    installed = re.findall(r"pip install --no-cache-dir (.*?)(?: &&|$)", text)
    assert installed[0] == "'pip>=24'"
    assert all("-c /tmp/constraints.txt" in one for one in installed[1:])
    assert installed[-1].endswith("-r /tmp/requirements.txt")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    [torch] = re.findall(r"^TORCH \?= (.*)$", makefile, re.MULTILINE)
    assert f"TORCH={torch}" in arguments_of("ARG")


def test_the_entrypoint_is_a_program_that_becomes_its_command() -> None:
    [entrypoint] = [json.loads(rest) for rest in arguments_of("ENTRYPOINT")]
    source = next(rest.split()[0] for rest in arguments_of("COPY") if rest.endswith(entrypoint[0]))
    script = ROOT / source
    assert script.stat().st_mode & 0o111
    assert script.read_text(encoding="utf-8").rstrip().endswith('exec "$@"')
    subprocess.run(["bash", "-n", str(script)], check=True)


def test_the_default_command_starts_a_launch_file_of_the_package() -> None:
    [command] = [json.loads(rest) for rest in arguments_of("CMD")]
    assert command[:3] == ["ros2", "launch", "hwm_ros"]
    assert (ROOT / "launch" / command[3]).is_file()
