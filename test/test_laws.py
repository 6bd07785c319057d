"""The laws of the house: which room may import which. Read from the sources, nothing is imported."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("hwm_core", "hwm_ros", "training")

# A room may import rooms of the floors above it, and none of its own floor. Rooms are the modules and packages of
# hwm_core; data stands above sim because recordings, also simulated ones, are written by data.rosbag2.
FLOORS = (
    {"assets", "errors", "frames", "rng", "streams", "types", "visualization"},
    {"clips", "config", "device", "metrics"},
    {"io", "nn", "tokenizers"},
    {"data", "models"},
    {"planning", "sampling", "sim"},
    {"world_model"},
    {"live", "train"},
    {"evaluation"},
    {"challenge"},
)
# The same for the rooms of hwm_core.data.
DATA_FLOORS = (
    {"batches", "robot"},
    {"recording"},
    {"rosbag2", "lerobot", "episodes"},
    {"tokens"},
    {"formats"},
    {"discover"},
    {"checks"},
)
FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
DATA_FLOOR_OF = {room: floor for floor, rooms in enumerate(DATA_FLOORS) for room in rooms}


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


@pytest.mark.parametrize(("folder", "floor_of"), [("hwm_core", FLOOR_OF), ("hwm_core/data", DATA_FLOOR_OF)])
def test_every_room_has_its_floor(folder, floor_of):
    rooms = {path.relative_to(ROOT / folder).parts[0] for path in sources(folder)}
    assert {room_of(room) for room in rooms} - {"__init__"} == set(floor_of)


@pytest.mark.parametrize(("folder", "floor_of"), [("hwm_core", FLOOR_OF), ("hwm_core/data", DATA_FLOOR_OF)])
def test_an_import_never_points_down(folder, floor_of):
    inside = f"{folder.replace('/', '.')}."
    wrong = []
    for path, module in imports_of(folder):
        if not module.startswith(inside):
            continue
        importer = room_of(Path(path).relative_to(folder).parts[0])
        imported = module.removeprefix(inside).split(".")[0]
        # The package's own `__init__` is above all floors: it offers the public names.
        floor = floor_of.get(importer, len(floor_of))
        if importer != imported and imported in floor_of and floor_of[imported] >= floor:
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
