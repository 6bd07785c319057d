"""The paper's tables 1 and 2 with hwm's models: sizes, memory, speed and quality of all eight."""

import argparse
import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any, get_args

import numpy as np
import torch

from hwm_core.evaluation.table import Table, gain
from hwm_core.io.atomic import write_json, write_text
from hwm_core.metrics.bootstrap import Interval
from hwm_core.models.config import Variant
from hwm_core.sampling.config import PAPER
from hwm_core.world_model.model import WorldModel
from hwm_core.world_model.scoring_memory import scoring_memory

Hwm = Callable[[Sequence[str]], int]

_PRESETS = {"tiny": {"masked": "tiny", "flow": "flow_tiny"}, "paper": {"masked": "masked", "flow": "flow"}}
# The paper leaves 4 blocks unshared. The tiny models have 4 in all, so that their sharing variants would be `base`.
_CHANGES: Mapping[str, Sequence[str]] = {"tiny": ("model.unshared_depth=1",), "paper": ()}
_CONDITIONS = ("model", "mean_prediction", "copy_last")
_VARIANTS = ("split", "base", "modality_shared", "fully_shared")  # in the paper's order
assert set(_VARIANTS) == set(get_args(Variant))


def paper_tables(options: argparse.Namespace) -> int:
    """Train, evaluate and measure what is missing, then write the tables; the exit status."""
    from .main import main as hwm

    torch.set_num_threads(1)
    rows = []
    for family in ("masked", "flow"):
        given = options.masked_tokenizer if family == "masked" else options.flow_tokenizer
        tokenizer = given or options.out / f"tokenizer_{family}" / "tokenizer"
        if given is None and not _trained(hwm, "train-tokenizer", family, tokenizer.parent, options, []):
            return 1
        for variant in _VARIANTS:
            row = _row(hwm, family, variant, tokenizer, options)
            if row is None:
                return 1
            rows.append(row)
    known = {"scale": options.scale, "minutes": options.minutes, "changes": options.set, "rows": rows}
    write_json(options.out / "tables.json", known)
    text = tables(rows)
    write_text(options.out / "tables.md", text)
    print(text)
    return 0


def _row(hwm: Hwm, family: str, variant: str, tokenizer: Path, options: argparse.Namespace) -> dict[str, Any] | None:
    """The numbers of one model; None if its training was stopped early."""
    folder = options.out / f"{family}_{variant}"
    if (path := folder / "row.json").exists():
        found: dict[str, Any] = json.loads(path.read_text())
        return found
    own = [*_CHANGES[options.scale], f"model.variant={variant}"]
    if not _trained(hwm, "train", family, folder, options, own, tokenizer):
        return None
    checkpoint, evaluation = folder / "checkpoint", folder / "evaluation"
    words = ["evaluate", "--protocol", "paper", "--checkpoint", checkpoint, "--store", options.data]
    words += ["--out", evaluation, "--sensitivity", 0, "--device", options.device]
    words += ["--conditions", *_CONDITIONS]  # flow: 100 passes for each more
    words += ["--max-windows", options.max_windows] if options.max_windows else []
    words += ["--extractor", *options.extractor] if options.extractor else []
    if hwm([str(word) for word in words]) != 0:
        return None
    row = {"family": family, "variant": variant, **_cost(checkpoint, options), **_quality(evaluation)}
    write_json(path, row)
    return row


def _trained(
    hwm: Hwm,
    command: str,
    family: str,
    out: Path,
    options: argparse.Namespace,
    changes: Sequence[str],
    tokenizer: Path | None = None,
) -> bool:
    """Train or resume; whether the training reached its end. A finished run is left as it is."""
    if (done := out / "done").exists():
        return True
    words = [command, "--data", str(options.data), "--out", str(out), "--device", options.device]
    words += ["--tokenizer", str(tokenizer)] if tokenizer else []
    if (out / "state.pt").exists():
        words.append("--resume")
    else:
        section = "train" if command == "train" else "train_tokenizer"
        budget = [f"{section}.{key}" for key in ("steps=null", f"max_minutes={options.minutes}", "clock=processor")]
        preset = _PRESETS[options.scale][family]
        words += ["--preset", preset, *changes, *options.set, *(budget if options.minutes else [])]
    if hwm(words) != 0:
        return False
    write_text(done, "")
    return True


def _cost(checkpoint: Path, options: argparse.Namespace) -> dict[str, float]:
    """Parameters without the tokenizer, memory by accounting, and predictions per second at batch 1, decoded."""
    world_model = WorldModel.load(checkpoint, device=options.device)
    family, model = world_model.family, world_model.model
    frames = np.zeros((world_model.past_frames, *_size(world_model), 3), np.uint8)
    actions = np.zeros((world_model.past_frames + world_model.future_frames, world_model.manifest.dim), np.float32)
    past = world_model.observe(frames, actions[: world_model.past_frames])
    seconds = []
    clock = time.process_time if options.device == "cpu" else time.perf_counter
    for _ in range(1 + options.repeats):
        began = clock()
        rollout = world_model.rollout(past, actions[None, world_model.past_frames :], sampling=PAPER[family])
        world_model.frames(past, rollout)  # copied to the processor: a GPU is done
        seconds.append(clock() - began)
    memory = scoring_memory(family, model.config.plain(), 1, sampling=PAPER[family])
    return {
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "memory_gb": memory.total / 1e9,
        "samples_per_s": 1 / median(seconds[1:]),
        "steps": world_model.metadata["steps"],
    }


def _size(world_model: WorldModel) -> tuple[int, int]:
    return world_model.preprocessing.height, world_model.preprocessing.width


def _quality(folder: Path) -> dict[str, Any]:
    """PSNR and SSIM over all predicted frames, FID where its network was given, and the same of the baselines."""
    document = json.loads((folder / "evaluation.json").read_text())
    means = {name: one["mean"] for name, one in document["conditions"].items()}
    fid = document["distances"].get("FID", {})
    return {
        "windows": document["conditions"]["model"]["windows"],
        "episodes": document["conditions"]["model"]["episodes"],
        "psnr_db": means["model"]["psnr_db"],
        "ssim": means["model"]["ssim"],
        "fid": fid.get("model", {}).get("distance"),
        "psnr_db_mean_prediction": means["mean_prediction"]["psnr_db"],
        "psnr_db_copy_last": means["copy_last"]["psnr_db"],
        "gain_over_copy_last": document["psnr_db"]["8"]["gain_over"]["copy_last"],
    }


def tables(rows: Sequence[Mapping[str, Any]]) -> str:
    """Markdown: a table for each family, with a column for each variant."""
    return "\n".join(_table(family, rows).markdown() for family in ("masked", "flow"))


def _table(family: str, rows: Sequence[Mapping[str, Any]]) -> Table:
    own = [row for row in rows if row["family"] == family]
    lines: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
        "parameters": lambda row: f"{row['parameters']:,}",
        "training steps": lambda row: f"{row['steps']:,}",
        "memory of a prediction, GB (by accounting, bfloat16)": lambda row: f"{row['memory_gb']:.3f}",
        "samples per second": lambda row: f"{row['samples_per_s']:.2f}",
        "FID": lambda row: "unavailable" if row["fid"] is None else f"{row['fid']:.2f}",
        "PSNR, dB": lambda row: f"{row['psnr_db']:.2f}",
        "SSIM": lambda row: f"{row['ssim']:.3f}",
        "PSNR of the mean prediction, dB": lambda row: f"{row['psnr_db_mean_prediction']:.2f}",
        "PSNR of copying the last frame, dB": lambda row: f"{row['psnr_db_copy_last']:.2f}",
        "dB above it, 8 frames ahead": lambda row: gain(Interval(**row["gain_over_copy_last"])),
    }
    title = f"{family}: {own[0]['windows']} windows of 8 frames"
    return Table(title, [family, *(row["variant"] for row in own)], [[n, *map(text, own)] for n, text in lines.items()])
