"""The measurements at the paper's scale, with toy models."""

import json

from benchmarks.scale import measure
from benchmarks.scale.table import report

TOY = ["model.dim=24", "model.depth=1", "model.num_heads=2", "model.grid=[4, 4]"]
TOY += ["tokenizer.encoder_blocks=1", "tokenizer.decoder_blocks=1", "tokenizer.width=16"]


def test_forward_passes_and_whole_predictions_of_both_families_are_measured(tmp_path, capsys):
    command = ["--variant", "split", "--device", "cpu", "--repeats", "1", "--predict", "--results", str(tmp_path)]
    assert measure.main([*command, *TOY]) == 0
    for family in ("masked", "flow"):
        result = json.loads((tmp_path / f"cpu_{family}_split.json").read_text())
        assert set(result["by_batch_size"]["1"]) == {"forward_s", "predicted_latents_s", "predicted_frames_s"}
        assert result["forward_tflop"] > 0 and result["machine"]["threads"] == 1
    printed = capsys.readouterr().out
    assert "220,527,616" in printed and "not measured, because no GPU was available" in printed


def test_a_gpu_result_is_a_row_of_a_table_of_its_own(tmp_path):
    calls = ("forward", "predicted_latents", "predicted_frames")
    # At batch 16 a call takes twice as long as at batch 1, so its rate is 8 times as high.
    one, many = (
        {f"{call}_s": seconds for call in calls} | {"forward_gb": gb} for seconds, gb in ((0.5, 5.5), (1.0, 9))
    )
    result = {
        "family": "flow",
        "variant": "base",
        "machine": {"device": "a GPU", "cpu": "a CPU", "threads": 1, "torch": "2"},
        "n": {"repeats": 3},
        "date": "2000-01-01",
        "by_batch_size": {"1": one, "16": many},
        "training": {"step_s": 0.25, "peak_gb": 40.0, "mfu": 0.5},
    }
    (tmp_path / "cuda_flow_base.json").write_text(json.dumps(result))
    row = "| flow | `base` | 5.50 | 9.00 | 2.0 | 16.0 | 2.00 | 16.00 | 2.00 | 16.00 | 0.250 | 40.0 | 50.0% |"
    assert row in report(tmp_path) and "a GPU, torch 2, median of 3, 2000-01-01" in report(tmp_path)
