"""Scan the tracked text files for words that only this project's authors would understand; `make check` runs it.

docs/glossary.md names the field's words that replace them. CHANGELOG.rst is history and is not scanned.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SUFFIXES = {".action", ".bash", ".cmake", ".html", ".md", ".msg", ".py", ".srv", ".toml", ".txt", ".xml", ".yaml"}
NAMES = {"Makefile", "build", "check_system", "in_env", "run", "setup"}  # files without a suffix
EXCEPT = {Path("CHANGELOG.rst"), Path(".ci/check_words.py"), Path("test/test_words.py")}

# Matched as whole words of prose, of snake_case and of CamelCase: `settled_past`, `SettledPast`, "is settled".
WORDS = (
    r"hears?",
    r"heard",
    r"hearing",
    r"deaf",
    r"settle[sd]?",
    r"settling",
    r"(?:re|un)?paint(?:s|ed|ing|er)?",
    r"judge[sd]?",
    r"judging",
    r"borrow(?:s|ed|er|ers|ing)?",
    r"trainees?",
    r"doubt(?:s|ed)?",
    r"(?:is|are|was|were) told",
)
_EITHER = "|".join(WORDS)
_CAMEL = "|".join(f"[{word[0].upper()}]{word[1:]}" for word in WORDS if word[0].isalpha())
PRIVATE = re.compile(rf"(?<![A-Za-z])(?i:{_EITHER})(?![a-z])|(?:(?<=[a-z0-9])|(?<![A-Za-z]))(?:{_CAMEL})(?![a-z])")


def private_words(text: str) -> Iterator[tuple[int, str]]:
    """The line number, from 1, and the word, for each private word of a text."""
    for number, line in enumerate(text.splitlines(), start=1):
        for found in PRIVATE.finditer(line):
            yield number, found.group()


def tracked_files() -> list[Path]:
    """The text files that git tracks, relative to the repository."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    paths = [Path(name) for name in listed.split("\0") if name]
    return [path for path in paths if (path.suffix in SUFFIXES or path.name in NAMES) and path not in EXCEPT]


def main() -> int:
    found = 0
    for path in tracked_files():
        if not (ROOT / path).is_file():
            continue
        for number, word in private_words((ROOT / path).read_text(encoding="utf-8")):
            print(f"{path}:{number}: `{word}`")
            found += 1
    if found:
        print(f"{found} private words. Use the field's words: docs/glossary.md.", file=sys.stderr)
    return int(found > 0)


if __name__ == "__main__":
    sys.exit(main())
