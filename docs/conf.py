"""Builds the site: the pages of docs/ and an API reference from docstrings. `make docs` runs it."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from hwm_core import __version__  # noqa: E402  # of this checkout

project = "hwm_ros"
author = "the hwm_ros maintainers"
copyright = "the hwm_ros maintainers"
release = version = __version__

extensions = [
    "myst_parser",
    "sphinx.ext.apidoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
]
html_theme = "furo"
html_title = f"hwm_ros {release}"
exclude_patterns = ["_build", "api/modules.rst"]

myst_heading_anchors = 3  # the pages link to each other's headings
myst_enable_extensions = ["dollarmath"]

apidoc_modules = [
    {
        "path": "../hwm_core",
        "destination": "api",
        "separate_modules": True,
        "module_first": True,
        "automodule_options": {"members", "show-inheritance"},
    },
]
autodoc_default_options = {"ignore-module-all": True}  # a name is documented where it is defined
autodoc_typehints = "signature"
autodoc_mock_imports = ["cosmos_tokenizer"]
default_role = "code"  # docstrings write `names` as Markdown does
napoleon_google_docstring = True
napoleon_numpy_docstring = False
