"""The laws of the house: which room may import which. Read from the sources, nothing is imported."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("hwm_core", "hwm_ros", "training")

# A room may import rooms of the floors above it, and none of its own floor. Rooms are the modules and packages of
# hwm_core; data stands above sim because recordings, also simulated ones, are written by data.bag.
FLOORS = (
    {"assets", "detail", "draws", "errors", "frames", "types", "streams", "pictures", "worker"},
    {"clips", "config", "device", "metrics"},
    {"data", "nn", "tokenizers"},
    {"context", "models", "planning", "sim"},
    {"sampling"},
    {"families"},
    {"checkpoint", "train", "variants"},
    {"world_model"},
    {"imagination"},
    {"evaluation", "live"},
    {"challenge", "replay"},
)
FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}


def sources(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def imported_modules(path: Path) -> Iterator[str]:
    """Dotted names that `path` imports, anywhere in it; `from package import x` yields package.x."""
    here = path.relative_to(ROOT).with_suffix("").parts
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parent = ".".join(here[: len(here) - node.level]) if node.level else ""
            module = ".".join(filter(None, [parent, node.module]))
            yield from (f"{module}.{alias.name}" for alias in node.names)


@cache
def imports_of(package: str) -> list[tuple[str, str]]:
    return [(str(path.relative_to(ROOT)), module) for path in sources(package) for module in imported_modules(path)]


def importers(package: str, *forbidden: str) -> list[tuple[str, str]]:
    return [
        (path, module)
        for path, module in imports_of(package)
        if any(module == name or module.startswith(name + ".") for name in forbidden)
    ]


def room_of(name: str) -> str:
    return Path(name).with_suffix("").name


def test_every_room_of_the_library_has_its_floor():
    rooms = {path.relative_to(ROOT / "hwm_core").parts[0] for path in sources("hwm_core")}
    assert {room_of(room) for room in rooms} - {"__init__"} == set(FLOOR_OF)


def test_an_import_never_points_down():
    wrong = []
    for path, module in imports_of("hwm_core"):
        if not module.startswith("hwm_core."):
            continue
        importer, imported = room_of(Path(path).parts[1]), module.split(".")[1]
        if importer != imported and imported in FLOOR_OF and FLOOR_OF[imported] >= FLOOR_OF[importer]:
            wrong.append(f"{path} imports {module}")
    assert not wrong


def test_the_library_knows_neither_ros_nor_its_edges():
    assert not importers("hwm_core", "rclpy", "hwm_ros", "training", "cv_bridge", "sensor_msgs", "std_msgs", "launch")


def test_nodes_and_recipes_do_not_know_each_other():
    assert not importers("hwm_ros", "training")
    assert not importers("training", "hwm_ros", "rclpy")


def test_planning_meets_a_model_only_through_its_protocol():
    planning = [(path, module) for path, module in imports_of("hwm_core") if path.startswith("hwm_core/planning/")]
    models = ("models", "families", "sampling", "tokenizers", "world_model", "checkpoint", "nn")
    assert not [found for found in planning if found[1].startswith(tuple(f"hwm_core.{model}" for model in models))]


def test_the_library_has_no_network():
    assert not importers("hwm_core", "http", "urllib", "socket", "requests", "huggingface_hub")


def test_only_the_renderer_reads_the_environment():
    # MuJoCo chooses its OpenGL by an environment variable, so one module has to look at it.
    readers = {
        str(path.relative_to(ROOT))
        for path in sources("hwm_core")
        if any(word in path.read_text(encoding="utf-8") for word in ("os.environ", "os.getenv"))
    }
    assert readers <= {"hwm_core/sim/gl.py"}


def test_the_ros_package_opens_without_torch_and_rclpy():
    # Its generated messages are imported by any ROS process, which should not wait for torch.
    assert {module.split(".")[0] for module in imported_modules(ROOT / "hwm_ros" / "__init__.py")} == {"pkgutil"}


@pytest.mark.parametrize("package", PACKAGES)
def test_no_directory_of_modules_hides_the_generated_interfaces(package):
    assert not [path for path in (ROOT / package).iterdir() if path.name in ("msg", "srv", "action")]
