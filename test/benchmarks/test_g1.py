"""The collected results of the G1."""

import json

import pytest

from benchmarks import g1


def write_evaluation(run, kind: str, gain: float, width: float | None = 1) -> None:
    low, high = (None, None) if width is None else (gain - width, gain + width)
    interval = {"mean": gain, "low": low, "high": high}
    gains = dict.fromkeys(("copy_last", "shuffled", "none", "tokenizer"), interval)
    at = {
        **dict.fromkeys(g1.CONDITIONS, 20.0),
        "windows": 7,
        "gain_over": gains,
        "sample_gains": {"single": gains, "mean_of_8": gains},
    }
    document = {
        "checkpoint": {"name": kind},
        "episodes": ["a", "b"],
        "settings": {"samples": 8},
        "psnr_db": {"16": at},
        "controllability_db": {},
    }
    path = run / kind / "evaluation" / "evaluation.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(document))


def test_evaluations_give_one_json_file_and_a_table_for_each_kind_of_actions(tmp_path, capsys) -> None:
    write_evaluation(tmp_path, "states", 4.5)
    write_evaluation(tmp_path, "commands", 3.5)
    assert g1.main([str(tmp_path), "--out", str(tmp_path / "g1.json")]) == 0
    written = json.loads((tmp_path / "g1.json").read_text())
    assert written["n"] == {"episodes": 2, "windows": 7, "samples_per_mean": 8}
    assert written["commands"]["psnr_db"]["16"]["gain_over"]["copy_last"]["mean"] == 3.5
    printed = capsys.readouterr().out
    assert (
        "| mean of 8 samples above copy last frame | +4.50 (+3.50 to +5.50) |" in printed
        and "actions: commands" in printed
    )


def test_a_gain_over_too_few_episodes_has_no_interval(tmp_path, capsys) -> None:
    write_evaluation(tmp_path, "states", 4.5, width=None)
    assert g1.main([str(tmp_path), "--out", str(tmp_path / "g1.json")]) == 0
    assert "| mean of 8 samples above copy last frame | +4.50 |" in capsys.readouterr().out


def test_a_folder_without_evaluations_is_rejected(tmp_path, capsys) -> None:
    with pytest.raises(SystemExit):
        g1.main([str(tmp_path), "--out", str(tmp_path / "g1.json")])
    assert "make results-g1" in capsys.readouterr().err and not (tmp_path / "g1.json").exists()
