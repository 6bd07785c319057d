"""The command `hwm` itself: its overview, its subcommands, and errors of the words given to it."""

import argparse
import json
import re
import shlex
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import pytest
from command import hwm

from training.main import ALL

WITHOUT_ROS = [name for name, command in ALL.items() if command.module.startswith(".")]


def test_the_overview_lists_every_subcommand_with_a_summary(capsys):
    assert hwm() == 0
    lines = capsys.readouterr().out.splitlines()
    for name, command in ALL.items():
        assert any(line.split(command.summary)[0].strip() == name for line in lines if command.summary in line)


def test_the_help_of_every_subcommand_shows_examples_and_imports_no_torch():
    # One process for all: torch would be found in sys.modules after any of them.
    program = """
import contextlib, io, json, sys
from training.main import main
texts = {}
for name in json.loads(sys.argv[1]):
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.suppress(SystemExit):
        main([*name.split(), "--help"])
    texts[name] = out.getvalue()
assert "torch" not in sys.modules, "torch was imported"
print(json.dumps(texts))
"""
    start = [sys.executable, "-c", program, json.dumps(WITHOUT_ROS)]
    done = subprocess.run(start, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for name, text in json.loads(done.stdout).items():
        assert text.startswith(f"usage: hwm {name}") and f"    hwm {name}" in text, name


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["inspekt"], "Did you mean `hwm inspect`?"),
        (["sim"], "expected `sim record`"),
        (["1x", "compres"], "Did you mean `hwm 1x compress`?"),
        (["nonsense"], "`hwm --help` lists all"),
    ],
)
def test_an_unknown_subcommand_is_rejected_with_the_nearest_one(words, message, capsys):
    assert hwm(*words) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["evaluate", "--protocol", "papr"], "Did you mean `paper`?"),
        (["bench", "closed-loop", "--out", "loop.json", "--chekpoint", "tiny"], "Did you mean `--checkpoint`?"),
        (["train", "--data", "store"], "required: --out"),
        (["train", "--data"], "--data: expected one argument. `hwm train"),
    ],
)
def test_wrong_arguments_give_one_sentence_and_no_usage(words, message, capsys):
    with pytest.raises(SystemExit, match="2"):
        hwm(*words)
    error = capsys.readouterr().err
    assert message in error and "usage:" not in error and error.count("\n") == 1


def test_an_interrupted_command_ends_with_130_and_says_how_to_go_on(monkeypatch, capsys):
    def interrupted() -> list:
        raise KeyboardInterrupt

    monkeypatch.setattr("training.doctor.diagnose", interrupted)
    assert hwm("doctor") == 130
    assert "Run the same command again" in capsys.readouterr().err


def test_a_closed_pipe_ends_a_command_quietly():
    command = f"{sys.executable} -m training.main | head -n 1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert done.stdout.startswith("usage: hwm") and "Traceback" not in done.stderr


def test_the_doctor_reports_this_machine(capsys):
    assert hwm("doctor") == 0
    report = capsys.readouterr().out
    assert "Python       found" in report and "PyTorch      found" in report and "precision on the CPU: " in report
    assert "All required items are found." in report


def test_the_doctor_names_what_is_missing_with_its_remedy(capsys):
    from training.doctor import Finding, report

    assert report([Finding("PyTorch", "missing", "No module named torch", "pip install torch")]) == 1
    said = capsys.readouterr().out
    assert "PyTorch      missing  No module named torch" in said and "pip install torch" in said


@pytest.mark.parametrize("name", ["play", "node"])
def test_a_command_that_needs_ros_says_so_where_it_is_absent(name):
    program = (
        "import sys\nsys.modules['rclpy'] = sys.modules['hwm_ros'] = None\n"
        f"from training.main import main\nsys.exit(main([{name!r}, 'x']))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    assert "expected ROS 2 with the built package hwm_ros" in done.stderr


def test_constants_of_the_parsers_are_those_of_the_library():
    from hwm_core.evaluation.config import PROTOCOLS
    from hwm_core.metrics.tokens import TOP
    from training.commands import evaluate, onex_compress

    assert onex_compress.build_parser().get_default("top") == TOP
    assert tuple(PROTOCOLS) == evaluate.PROTOCOLS


def test_every_command_line_in_the_documents_parses():
    root = Path(__file__).parents[2]
    checked = 0
    for page in [root / "README.md", *(root / "docs").glob("*.md")]:
        for words in command_lines(page.read_text(encoding="utf-8")):
            name = " ".join(words[:2]) if " ".join(words[:2]) in ALL else words[0]
            assert name in ALL, f"{page.name}: hwm {' '.join(words)}"
            if ALL[name].module.startswith("."):
                parser = import_module(ALL[name].module, "training").build_parser()
                rest = words[len(name.split()) :]
                if "..." not in rest:
                    try:
                        parser.parse_args(rest)
                    except SystemExit:
                        pytest.fail(f"{page.name}: hwm {' '.join(words)}")
                    checked += 1
    assert checked > 20


def command_lines(text: str) -> list[list[str]]:
    """The words after `hwm` of each command in the code blocks of a Markdown page."""
    found = []
    for block in re.findall(r"^```bash\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            for part in re.split(r"\s&&\s|\s\|\s", line):
                words = shlex.split(part, comments=True)
                if words and words[0] == "hwm":
                    found.append(words[1:])
    return found


def test_a_node_without_ros_is_rejected_with_the_remedy(monkeypatch, capsys):
    def without_ros(options):
        raise ModuleNotFoundError("No module named 'hwm_ros.msg'", name="hwm_ros.msg")

    node = SimpleNamespace(build_parser=argparse.ArgumentParser, run=without_ros)
    monkeypatch.setitem(sys.modules, "hwm_ros.start_node", node)
    assert hwm("node") == 2
    assert (
        "hwm node: expected ROS 2 with the built package hwm_ros, got no module hwm_ros.msg" in capsys.readouterr().err
    )
