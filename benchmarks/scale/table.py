"""The measurements at the paper's scale as tables, beside the paper's numbers."""

import json
from pathlib import Path
from typing import Any

from benchmarks.record import RESULTS
from benchmarks.tables import table

# arXiv 2506.01182, tables 1 and 2: parameters in 1e9, GB and samples per second on one A6000.
PUBLISHED = {
    ("masked", "base"): (0.321, 2.63, 2.27),
    ("masked", "split"): (0.220, 2.22, 2.09),
    ("masked", "modality_shared"): (0.237, 2.30, 2.25),
    ("masked", "fully_shared"): (0.195, 2.12, 2.36),
    ("flow", "base"): (1.36, 5.94, 1.69),
    ("flow", "split"): (0.944, 4.37, 1.11),
    ("flow", "modality_shared"): (0.886, 4.41, 1.89),
    ("flow", "fully_shared"): (0.648, 3.25, 1.91),
}
_NOT_MEASURED = "not measured"


def report(folder: Path) -> str:
    """Markdown: one table for the CPU and one for the GPU."""
    return f"{_cpu(folder)}\n\n{_gpu(folder)}"


def _cpu(folder: Path) -> str:
    counts = json.loads((RESULTS / "variants.json").read_text())  # written by `make variants`
    rows, conditions = [], set()
    for (family, variant), (billions, gigabytes, samples) in PUBLISHED.items():
        result = _read(folder, "cpu", family, variant)
        measured = [_NOT_MEASURED, _NOT_MEASURED]
        if result is not None:
            measured = [f"{result['forward_tflop']:.3f}", f"{result['by_batch_size']['1']['forward_s']:.1f}"]
            conditions.add(_conditions(result))
        rows.append(
            [
                family,
                f"`{variant}`",
                f"{counts[family][variant]:,}",
                f"{billions:g} B",
                *measured,
                f"{gigabytes:g}",
                f"{samples:g}",
            ]
        )
    header = [
        "family",
        "variant",
        "parameters",
        "paper: parameters",
        "TFLOP per forward pass",
        "processor seconds per forward pass",
        "paper: GB",
        "paper: samples/s",
    ]
    return (
        f"{table(header, rows)}\n\nOne forward pass over the whole window at batch 1 in float32, without tokenizer and "
        "cache. The masked models compute the logits of all future tokens, the flow models the velocity at one time. A "
        "prediction takes 2 such passes (masked), or 50 of twice the size (flow, with classifier-free guidance). TFLOP "
        f"counts matrix products. {'; '.join(sorted(conditions))}. The paper's GB and samples per second are for one "
        "A6000; a sample of the paper is one forward pass of the released code."
    )


def _gpu(folder: Path) -> str:
    results = [result for key in PUBLISHED if (result := _read(folder, "cuda", *key)) is not None]
    if not results:
        return (
            "On a GPU: not measured, because no GPU was available. `python -m benchmarks.scale.measure --device cuda` "
            "measures peak memory, forward passes and predictions at batch 1 and 16, and a training step with its MFU. "
            "It has not been run yet."
        )
    rows = []
    for result in results:
        one, many = (result["by_batch_size"].get(size) for size in ("1", "16"))
        sizes = ((1, one), (16, many))
        training = result["training"]
        rows.append(
            [
                result["family"],
                f"`{result['variant']}`",
                *(f"{each['forward_gb']:.2f}" if each else _NOT_MEASURED for each in (one, many)),
                *(f"{size / each['forward_s']:.1f}" if each else _NOT_MEASURED for size, each in sizes),
                *(f"{size / each['predicted_latents_s']:.2f}" if each else _NOT_MEASURED for size, each in sizes),
                *(f"{size / each['predicted_frames_s']:.2f}" if each else _NOT_MEASURED for size, each in sizes),
                f"{training['step_s']:.3f}" if training else _NOT_MEASURED,
                f"{training['peak_gb']:.1f}" if training else _NOT_MEASURED,
                f"{training['mfu']:.1%}" if training and training["mfu"] else _NOT_MEASURED,
            ]
        )
    header = ["family", "variant", *(f"{what}, batch {n}" for what in _INFERENCE for n in (1, 16)), *_TRAINING]
    conditions = "; ".join(sorted({_conditions(result) for result in results}))
    return (
        f"{table(header, rows)}\n\nbfloat16 autocast over float32 weights. A prediction uses the paper's sampling "
        "settings. Training is one AdamW step at batch 16; it is not measured if 16 bytes per parameter do not fit. "
        f"{conditions}."
    )


_INFERENCE = ("GB per forward pass", "forward passes/s", "predictions/s, latents", "predictions/s, frames")
_TRAINING = ("training step, s", "training, GB", "MFU")


def _conditions(result: dict[str, Any]) -> str:
    machine = result["machine"]
    device = machine["cpu"] if machine["device"] == "cpu" else machine["device"]
    threads = f", {machine['threads']} thread{'s' * (machine['threads'] > 1)}" if machine["device"] == "cpu" else ""
    return f"{device}{threads}, torch {machine['torch']}, median of {result['n']['repeats']}, {result['date']}"


def _read(folder: Path, device: str, family: str, variant: str) -> dict[str, Any] | None:
    path = folder / f"{device}_{family}_{variant}.json"
    return json.loads(path.read_text()) if path.exists() else None
