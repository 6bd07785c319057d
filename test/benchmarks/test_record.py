"""The command in a result file."""

from benchmarks.record import command_line


def test_a_recorded_command_contains_no_absolute_paths():
    recorded = command_line("benchmarks.tiny.comparison", ["run", "masked", "--data", "/some/where/store"])
    assert recorded == "python -m benchmarks.tiny.comparison run masked --data store"
