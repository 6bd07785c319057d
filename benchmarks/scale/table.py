"""The paper-scale figures as a table, the paper's own beside them."""

import json
from pathlib import Path
from typing import Any

from benchmarks.record import RESULTS
from benchmarks.tables import table

# arXiv 2506.01182, tables 1 and 2: parameters in 1e9, GB and samples a second on one A6000.
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
_NOT = "not measured"


def report(folder: Path) -> str:
    """Markdown: a table for the CPU and one for a GPU, where each was measured."""
    parts = [_cpu(folder), _gpu(folder)]
    return "\n\n".join(parts)


def _cpu(folder: Path) -> str:
    counts = json.loads((RESULTS / "variants.json").read_text())  # of `make variants`
    rows, conditions = [], set()
    for (family, variant), (billions, gigabytes, samples) in PUBLISHED.items():
        result = _read(folder, "cpu", family, variant)
        measured = [_NOT, _NOT]
        if result is not None:
            measured = [f"{result['forward_tflop']:.3f}", f"{result['batches']['1']['forward_s']:.1f}"]
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
        "TFLOP of a forward",
        "processor seconds of a forward",
        "paper: GB",
        "paper: samples/s",
    ]
    return (
        f"{table(header, rows)}\n\nOne forward over the whole window at batch 1 (masked: logits of all future tokens; "
        "flow: the velocity at one time), float32, without tokenizer and cache; a decode is 2 of them (masked) or 50 "
        f"of twice the size (flow, with guidance). TFLOP are of matrix products. {'; '.join(sorted(conditions))}. The "
        "paper's GB and samples a second are of one A6000; its sample is one forward of the released code."
    )


def _gpu(folder: Path) -> str:
    results = [result for key in PUBLISHED if (result := _read(folder, "cuda", *key)) is not None]
    if not results:
        return (
            "On a GPU: not measured; none was at hand. `python -m benchmarks.scale.measure --device cuda` measures "
            "peak memory, forwards and decodes at batch 1 and 16, and a training step with its MFU; "
            "it has not been run yet."
        )
    rows = []
    for result in results:
        one, many = (result["batches"].get(size) for size in ("1", "16"))
        training = result["training"]
        rows.append(
            [
                result["family"],
                f"`{result['variant']}`",
                *(f"{each['forward_gb']:.2f}" if each else _NOT for each in (one, many)),
                *(f"{size / each['forward_s']:.1f}" if each else _NOT for size, each in ((1, one), (16, many))),
                *(f"{size / each['decode_s']:.2f}" if each else _NOT for size, each in ((1, one), (16, many))),
                *(f"{size / each['pictures_s']:.2f}" if each else _NOT for size, each in ((1, one), (16, many))),
                f"{training['step_s']:.3f}" if training else _NOT,
                f"{training['peak_gb']:.1f}" if training else _NOT,
                f"{training['mfu']:.1%}" if training and training["mfu"] else _NOT,
            ]
        )
    header = ["family", "variant", *(f"{what}, batch {n}" for what in _TIMED for n in (1, 16)), *_TRAINED]
    conditions = "; ".join(sorted({_conditions(result) for result in results}))
    return (
        f"{table(header, rows)}\n\nbfloat16 arithmetic over float32 weights; a decode is the paper's; training is one "
        f"step of AdamW at batch 16, not measured where 16 bytes a parameter do not fit. {conditions}."
    )


_TIMED = ("GB of a forward", "forwards/s", "decodes/s", "decodes/s with tokenizer")
_TRAINED = ("training step, s", "training, GB", "MFU")


def _conditions(result: dict[str, Any]) -> str:
    machine = result["machine"]
    device = machine["cpu"] if machine["device"] == "cpu" else machine["device"]
    threads = f", {machine['threads']} thread{'s' * (machine['threads'] > 1)}" if machine["device"] == "cpu" else ""
    return f"{device}{threads}, torch {machine['torch']}, median of {result['n']['repeats']}, {result['date']}"


def _read(folder: Path, device: str, family: str, variant: str) -> dict[str, Any] | None:
    path = folder / f"{device}_{family}_{variant}.json"
    return json.loads(path.read_text()) if path.exists() else None
