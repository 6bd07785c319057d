"""The measurements at the paper's scale, with toy models."""

import json

from benchmarks.scale import measure

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
