"""The names that users import from `hwm_core` itself."""

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import hwm_core

SOURCE = ast.parse(Path(hwm_core.__file__).read_text(encoding="utf-8"))


def test_importing_the_library_imports_neither_torch_nor_numpy() -> None:
    program = "import sys, hwm_core; dir(hwm_core); sys.exit(any(name in sys.modules for name in ('torch', 'numpy')))"
    assert (
        subprocess.run([sys.executable, "-c", program], cwd=Path(__file__).parent.parent, check=False).returncode == 0
    )


@pytest.mark.parametrize("name", hwm_core.__all__)
def test_every_public_name_is_the_object_of_its_module_for_python_and_for_type_checkers(name: str) -> None:
    typed = {
        alias.name: node.module
        for node in ast.walk(SOURCE)
        if isinstance(node, ast.ImportFrom) and node.module is not None
        for alias in node.names
    }
    public = getattr(hwm_core, name)
    assert public is getattr(import_module(typed[name]), name)
    assert public.__module__ == typed[name] and name in dir(hwm_core)


def test_the_public_names_are_listed_once_and_in_order() -> None:
    assert sorted(set(hwm_core.__all__)) == hwm_core.__all__ == sorted(hwm_core._MODULES)


def test_an_unknown_name_is_an_error_and_a_submodule_is_not() -> None:
    with pytest.raises(AttributeError, match="no attribute `WorldModle`"):
        hwm_core.WorldModle  # noqa: B018
    from hwm_core import errors

    assert errors.BadInput is hwm_core.BadInput
