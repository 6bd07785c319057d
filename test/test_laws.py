"""The import rules between packages. The tests parse the sources and import nothing."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("hwm_core", "hwm_ros", "training")

# The modules and packages of hwm_core in layers. A package imports from earlier layers only, never from its own layer.
# `sim` is later than `data` because data.rosbag2 writes the simulated recordings.
LAYERS = (
    {"accounting", "assets", "errors", "frames", "precision_name", "rng", "streams", "types", "visualization"},
    {"clips", "config", "device", "metrics", "precision", "pretrained"},
    {"io", "nn", "tokenizers"},
    {"data", "models"},
    {"planning", "sampling"},
    {"sim"},
    {"world_model"},
    {"live", "train"},
    {"evaluation"},
    {"challenge"},
)
# The same for the packages of hwm_core.data.
DATA_LAYERS = (
    {"batches", "robot"},
    {"recording"},
    {"rosbag2", "lerobot", "episodes"},
    {"tokens"},
    {"formats"},
    {"discover"},
    {"checks"},
)
LAYER_OF = {package: layer for layer, packages in enumerate(LAYERS) for package in packages}
DATA_LAYER_OF = {package: layer for layer, packages in enumerate(DATA_LAYERS) for package in packages}


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


def package_of(name: str) -> str:
    return Path(name).with_suffix("").name


@pytest.mark.parametrize(("folder", "layer_of"), [("hwm_core", LAYER_OF), ("hwm_core/data", DATA_LAYER_OF)])
def test_every_package_has_a_layer(folder, layer_of):
    packages = {path.relative_to(ROOT / folder).parts[0] for path in sources(folder)}
    assert {package_of(package) for package in packages} - {"__init__"} == set(layer_of)


@pytest.mark.parametrize(("folder", "layer_of"), [("hwm_core", LAYER_OF), ("hwm_core/data", DATA_LAYER_OF)])
def test_a_package_imports_only_from_earlier_layers(folder, layer_of):
    inside = f"{folder.replace('/', '.')}."
    wrong = []
    for path, module in imports_of(folder):
        if not module.startswith(inside):
            continue
        importer = package_of(Path(path).relative_to(folder).parts[0])
        imported = module.removeprefix(inside).split(".")[0]
        # `__init__` exports the public names: it may import all layers, and no layer may import from it.
        layer = layer_of.get(importer, len(layer_of))
        if importer != imported and layer_of.get(imported, len(layer_of)) >= layer:
            wrong.append(f"{path} imports {module}")
    assert not wrong


def test_the_library_imports_neither_ros_nor_the_packages_that_use_it():
    assert not importers("hwm_core", "rclpy", "hwm_ros", "training", "cv_bridge", "sensor_msgs", "std_msgs", "launch")


def test_hwm_ros_and_training_do_not_import_each_other():
    assert not importers("hwm_ros", "training")
    assert not importers("training", "hwm_ros", "rclpy")


def test_planning_imports_no_model():
    planning = [(path, module) for path, module in imports_of("hwm_core") if path.startswith("hwm_core/planning/")]
    models = ("models", "sampling", "tokenizers", "world_model", "nn")
    assert not [found for found in planning if found[1].startswith(tuple(f"hwm_core.{model}" for model in models))]


def test_the_library_does_not_use_the_network():
    assert not importers("hwm_core", "http", "urllib", "socket", "requests", "huggingface_hub")


def test_only_the_renderer_reads_the_environment():
    # An environment variable selects MuJoCo's OpenGL library, so one module has to read it.
    readers = {
        str(path.relative_to(ROOT))
        for path in sources("hwm_core")
        if any(word in path.read_text(encoding="utf-8") for word in ("os.environ", "os.getenv"))
    }
    assert readers <= {"hwm_core/sim/gl.py"}


def test_importing_hwm_ros_imports_neither_torch_nor_rclpy():
    # Any ROS process may import the generated messages of hwm_ros; it must not wait for torch.
    assert {module.split(".")[0] for module in imported_modules(ROOT / "hwm_ros" / "__init__.py")} == {"pkgutil"}


@pytest.mark.parametrize("package", PACKAGES)
def test_no_folder_hides_the_generated_interfaces(package):
    assert not [path for path in (ROOT / package).iterdir() if path.name in ("msg", "srv", "action")]
