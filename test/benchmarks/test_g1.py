import json

import pytest

from benchmarks import g1


def evaluated(run, kind: str, gain: float, width: float | None = 1) -> None:
    low, high = (None, None) if width is None else (gain - width, gain + width)
    interval = {"mean": gain, "low": low, "high": high}
    against = dict.fromkeys(("copy_last", "shuffled", "none", "tokenizer"), interval)
    at = {
        **dict.fromkeys(g1.ROWS, 20.0),
        "windows": 7,
        "gain_over": against,
        "sample_gains": {"single": against, "mean_of_8": against},
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


def test_what_was_judged_becomes_one_json_and_a_table_for_each_kind_of_actions(tmp_path, capsys) -> None:
    evaluated(tmp_path, "states", 4.5)
    evaluated(tmp_path, "commands", 3.5)
    assert g1.main([str(tmp_path), "--out", str(tmp_path / "g1.json")]) == 0
    written = json.loads((tmp_path / "g1.json").read_text())
    assert written["n"] == {"episodes": 2, "windows": 7, "samples_per_mean": 8}
    assert written["commands"]["psnr_db"]["16"]["gain_over"]["copy_last"]["mean"] == 3.5
    shown = capsys.readouterr().out
    assert "| mean of 8 above copy last frame | +4.50 (+3.50 to +5.50) |" in shown and "actions: commands" in shown


def test_a_mean_of_too_few_episodes_stands_without_an_interval(tmp_path, capsys) -> None:
    evaluated(tmp_path, "states", 4.5, width=None)
    assert g1.main([str(tmp_path), "--out", str(tmp_path / "g1.json")]) == 0
    assert "| mean of 8 above copy last frame | +4.50 |" in capsys.readouterr().out


def test_a_folder_where_nothing_was_judged_is_rejected(tmp_path, capsys) -> None:
    with pytest.raises(SystemExit):
        g1.main([str(tmp_path), "--out", str(tmp_path / "g1.json")])
    assert "make results-g1" in capsys.readouterr().err and not (tmp_path / "g1.json").exists()
