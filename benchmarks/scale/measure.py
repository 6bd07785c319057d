"""Measure the cost of all eight models at the paper's size: parameters, FLOP, and the time of a forward pass.

    python -m benchmarks.scale.measure                     on the CPU: one forward pass at batch 1, one thread
    python -m benchmarks.scale.measure --device cuda       memory, forward passes and predictions at batch 1 and 16,
                                                           and a training step

It writes benchmarks/results/scale/<device>_<family>_<variant>.json, one model after the other. The CUDA part has not
been run yet.
"""

import argparse
import gc
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, get_args

import torch

from benchmarks.record import RESULTS, command_line, write_result
from benchmarks.scale.models import Inputs, Prediction, build, forward_flops, one_forward
from benchmarks.scale.table import report
from benchmarks.stopwatch import median_seconds
from benchmarks.training_step import training_step
from hwm_core.device import read_device
from hwm_core.errors import BadInput
from hwm_core.models.config import Variant
from hwm_core.models.network import WorldModelNetwork
from hwm_core.sampling.config import PAPER
from hwm_core.train.recipe import Recipe, read_recipe
from hwm_core.train.throughput import known_peak_tflops

FAMILIES = ("masked", "flow")  # of the paper

BYTES_PER_PARAMETER = 16  # in training: float32 weight, gradient and the two moments of AdamW


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line. Exit status 0: done; 2: bad input."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--family", choices=FAMILIES, help="measure only this family")
    parser.add_argument("--variant", choices=get_args(Variant), help="measure only this variant")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu", help="cpu or cuda")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads (%(default)s)")
    parser.add_argument("--repeats", type=int, default=3, help="timed calls, after one warm-up call (%(default)s)")
    parser.add_argument("--batches", type=int, nargs="+", help="batch sizes (CPU: 1; GPU: 1 16)")
    parser.add_argument("--predict", action="store_true", help="also time whole predictions on the CPU")
    parser.add_argument(
        "--peak-tflops", type=float, help="peak of the GPU in bfloat16; needed for the MFU of an unknown GPU"
    )
    parser.add_argument("--results", type=Path, default=RESULTS / "scale", help="folder to write (%(default)s)")
    parser.add_argument("overrides", nargs="*", metavar="section.key=value", help="overrides for the presets")
    parsed = parser.parse_args(words)
    torch.set_num_threads(parsed.threads)
    try:
        device = read_device(parsed.device)
        for family in [parsed.family] if parsed.family else list(FAMILIES):
            for variant in [parsed.variant] if parsed.variant else get_args(Variant):
                # The presets `masked` and `flow` are the paper's.
                recipe = read_recipe(family, [f"model.variant={variant}", *parsed.overrides])
                numbers = measure(
                    recipe,
                    device,
                    batches=parsed.batches or ([1, 16] if device.type == "cuda" else [1]),
                    repeats=parsed.repeats,
                    predict=parsed.predict or device.type == "cuda",
                    peak_tflops=parsed.peak_tflops,
                )
                path = parsed.results / f"{device.type}_{family}_{variant}.json"
                command = command_line("benchmarks.scale.measure", words)
                repeats = {"repeats": parsed.repeats}
                write_result(path, command=command, n=repeats, numbers=numbers, device=parsed.device)
                print(f"Written to {path}")
                gc.collect()
    except BadInput as error:
        parser.error(str(error))
    print(report(parsed.results))
    return 0


def measure(
    recipe: Recipe,
    device: torch.device,
    *,
    batches: Sequence[int],
    repeats: int,
    predict: bool,
    peak_tflops: float | None,
) -> dict[str, Any]:
    """Measure one model; on a GPU also its memory and a training step.

    Args:
        batches: batch sizes.
        repeats: timed calls of each kind.
        predict: time whole predictions too.
        peak_tflops: peak of the GPU in bfloat16, if the program does not know it.
    """
    cuda = device.type == "cuda"
    model = build(recipe, device)
    flops = forward_flops(recipe)
    numbers: dict[str, Any] = {
        "family": recipe.family,
        "variant": recipe.model["variant"],
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "forward_tflop": round(flops / 1e12, 6),
        "precision": "bfloat16" if cuda else "float32",
        "sampling": PAPER[recipe.family].plain(),
        "by_batch_size": {},
    }
    for batch in batches:
        inputs = Inputs.of(model, batch)
        calls: dict[str, Callable[[], object]] = {"forward": one_forward(model, inputs)}
        if predict:
            prediction = Prediction(recipe, model, batch)
            past = prediction.observe()
            calls |= {"predicted_latents": partial(prediction.latents, past), "predicted_frames": prediction.frames}
        numbers["by_batch_size"][str(batch)] = _inference(calls, device, repeats)
    if cuda:
        peak = peak_tflops or known_peak_tflops(device)
        numbers["training"] = _training(model, 16, flops, peak, repeats)
    return numbers


@torch.inference_mode()
def _inference(calls: Mapping[str, Callable[[], object]], device: torch.device, repeats: int) -> dict[str, float]:
    """Seconds of each call; on a GPU also its peak memory in GB, weights included."""
    answer, cuda = {}, device.type == "cuda"
    for name, call in calls.items():
        if cuda:
            torch.cuda.reset_peak_memory_stats(device)
        with torch.autocast(device.type, torch.bfloat16, enabled=cuda):
            answer[f"{name}_s"] = round(median_seconds(call, device, repeats), 5)
        if cuda:
            answer[f"{name}_gb"] = round(torch.cuda.max_memory_allocated(device) / 1e9, 3)
    return answer


def _training(
    model: WorldModelNetwork, batch: int, forward: int, peak_tflops: float | None, repeats: int
) -> dict[str, Any] | None:
    """One AdamW step in bfloat16; None if weights, gradients and moments alone exceed the GPU memory.

    Args:
        forward: FLOP of one forward pass at batch 1.
    """
    parameters, device = sum(parameter.numel() for parameter in model.parameters()), model.device
    if BYTES_PER_PARAMETER * parameters > torch.cuda.get_device_properties(device).total_memory:
        return None
    inputs, generator = Inputs.of(model, batch), torch.Generator(device).manual_seed(0)
    step = training_step(model.train(), lambda: model.loss(inputs.codes, inputs.actions, generator)[0], autocast=True)
    torch.cuda.reset_peak_memory_stats(device)
    step_s = median_seconds(step, device, repeats)
    achieved = 3 * batch * forward / step_s / 1e12  # the backward pass costs twice the forward pass
    return {
        "batch": batch,
        "step_s": round(step_s, 5),
        "peak_gb": round(torch.cuda.max_memory_allocated(device) / 1e9, 3),
        "tflops": round(achieved, 2),
        "mfu": round(achieved / peak_tflops, 4) if peak_tflops else None,
    }


if __name__ == "__main__":
    sys.exit(main())
