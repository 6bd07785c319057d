"""Packages of the extra that are not installed: an error that tells how to install them."""

import sys

import pytest
from wan_models import SIZES

from hwm_core.errors import BadConfig
from hwm_core.pretrained import has_extra, import_extra
from hwm_core.world_model.registry import build_model


@pytest.mark.parametrize("package", ["diffusers", "peft", "psutil", "transformers"])
def test_a_package_that_is_not_installed_is_an_error_with_the_command_that_installs_it(
    package: str, monkeypatch
) -> None:
    assert has_extra()
    monkeypatch.setitem(sys.modules, package, None)
    message = rf"expected the packages diffusers, peft, psutil, transformers, got no package {package}\. "
    with pytest.raises(BadConfig, match=rf"{message}Install the extra: pip install '\.\[wan\]'"):
        import_extra(package)
    assert not has_extra()


def test_a_model_whose_packages_are_not_installed_is_rejected(monkeypatch) -> None:
    import_extra("hwm_core.models.wan_transformer")  # diffusers looks for peft once, at its first import
    monkeypatch.delitem(sys.modules, "hwm_core.models.wan_transformer")
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(BadConfig, match=r"got no package peft\. .*pip install '\.\[wan\]'"):
        build_model("wan", SIZES)


def test_the_absence_of_any_other_module_is_not_explained_by_the_extra() -> None:
    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        import_extra("hwm_core.no_such_module")
