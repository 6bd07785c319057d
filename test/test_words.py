"""The scan of `make check` for private words."""

import importlib.util
from pathlib import Path

import pytest

SPEC = importlib.util.spec_from_file_location("check_words", Path(__file__).parents[1] / ".ci" / "check_words.py")
check_words = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(check_words)


@pytest.mark.parametrize(
    "text",
    ["the model hears it", "def settle(x):", "class SettledPast:", "self._heard = 0", "DEAF = 1", "NaN is told."],
)
def test_a_private_word_is_found_in_prose_in_snake_case_and_in_camel_case(text):
    assert [line for line, _ in check_words.private_words(f"first line\n{text}\n")] == [2]


@pytest.mark.parametrize("text", ["heart, shear, settings", "a told story", "judgement", "repaintings", "undoubtedly"])
def test_a_word_that_only_contains_one_is_no_private_word(text):
    assert not list(check_words.private_words(text))


def test_the_scan_covers_code_documents_interfaces_and_presets_but_not_the_changelog():
    scanned = {str(path) for path in check_words.tracked_files()}
    assert {"README.md", "Makefile", "hwm_core/presets/tiny.yaml", "hwm_core/config.py", "test/conftest.py"} <= scanned
    assert any(path.startswith("msg/") for path in scanned) and "CHANGELOG.rst" not in scanned
