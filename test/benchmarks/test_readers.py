"""The throughput benchmark of the readers."""

import pytest

from benchmarks.readers import measure


def test_a_paper_step_without_its_number_of_windows_is_rejected(capsys):
    with pytest.raises(SystemExit):
        measure.main(["--paper-step", "masked=1.2"])
    assert "expected masked=1.2x16" in capsys.readouterr().err
