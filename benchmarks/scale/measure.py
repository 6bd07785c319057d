"""All eight models at the paper's size: parameters, work, and what a forward, a decode and a training step cost here.

    python -m benchmarks.scale.measure                       on the CPU: one forward at batch 1, one thread
    python -m benchmarks.scale.measure --device cuda         memory, forward and decode at batch 1 and 16, training step

writes benchmarks/results/scale/<device>_<family>_<variant>.json, one model after the other. The part for CUDA
has not been run yet.
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
from benchmarks.scale.models import DECODES, Inputs, WholeDecode, build, forward_flops, one_forward
from benchmarks.scale.table import report
from benchmarks.stopwatch import median_seconds
from benchmarks.training_step import training_step
from hwm_core.device import read_device
from hwm_core.errors import BadInput
from hwm_core.models.config import Variant
from hwm_core.models.network import WorldModelNetwork
from hwm_core.train.recipe import Recipe, read_recipe
from hwm_core.train.throughput import known_peak_tflops
from hwm_core.world_model.registry import FAMILIES

BYTES = 16  # a parameter in training: float32 weight, gradient and two moments of AdamW


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--family", choices=FAMILIES, help="this family alone")
    parser.add_argument("--variant", choices=get_args(Variant), help="this variant alone")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu", help="(%(default)s)")
    parser.add_argument("--threads", type=int, default=1, help="on the CPU (%(default)s)")
    parser.add_argument("--repeats", type=int, default=3, help="timed calls after one to warm up (%(default)s)")
    parser.add_argument("--batches", type=int, nargs="+", help="sizes of a batch (1; on a GPU 1 16)")
    parser.add_argument("--decode", action="store_true", help="whole decodes on the CPU too")
    parser.add_argument("--peak-tflops", type=float, help="of the GPU in bfloat16, where this program does not know it")
    parser.add_argument("--results", type=Path, default=RESULTS / "scale", help="folder to write (%(default)s)")
    parser.add_argument("overrides", nargs="*", metavar="section.key=value", help="changes to the presets")
    parsed = parser.parse_args(words)
    torch.set_num_threads(parsed.threads)
    try:
        device = read_device(parsed.device)
        for family in [parsed.family] if parsed.family else list(FAMILIES):
            for variant in [parsed.variant] if parsed.variant else get_args(Variant):
                recipe = read_recipe(family, [f"model.variant={variant}", *parsed.overrides])  # the paper's presets
                figures = measure(recipe, device, parsed)
                path = parsed.results / f"{device.type}_{family}_{variant}.json"
                command = command_line("benchmarks.scale.measure", words)
                repeats = {"repeats": parsed.repeats}
                write_result(path, command=command, n=repeats, figures=figures, device=parsed.device)
                print(f"Written to {path}")
                gc.collect()
    except BadInput as error:
        parser.error(str(error))
    print(report(parsed.results))
    return 0


def measure(recipe: Recipe, device: torch.device, arguments: argparse.Namespace) -> dict[str, Any]:
    """Everything that the device allows of one model."""
    cuda = device.type == "cuda"
    model = build(recipe, device)
    flops = forward_flops(recipe)
    figures: dict[str, Any] = {
        "family": recipe.family,
        "variant": recipe.model["variant"],
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "forward_tflop": round(flops / 1e12, 6),
        "arithmetic": "bfloat16" if cuda else "float32",
        "decode": DECODES[recipe.family].plain(),
        "batches": {},
    }
    for batch in arguments.batches or ([1, 16] if cuda else [1]):
        inputs = Inputs.of(recipe.family, model, batch)
        calls: dict[str, Callable[[], object]] = {"forward": one_forward(recipe.family, model, inputs)}
        if cuda or arguments.decode:
            decode = WholeDecode(recipe, model, batch)
            past = decode.see()
            calls |= {"decode": partial(decode.imagine, past), "pictures": decode.whole}
        figures["batches"][str(batch)] = _inference(calls, device, arguments.repeats)
    if cuda:
        peak = arguments.peak_tflops or known_peak_tflops(device)
        figures["training"] = _training(recipe.family, model, 16, flops, peak, device, arguments.repeats)
    return figures


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
    family: str,
    model: WorldModelNetwork,
    batch: int,
    forward: int,
    peak_tflops: float | None,
    device: torch.device,
    repeats: int,
) -> dict[str, Any] | None:
    """A step of AdamW in bfloat16; None where weights, gradients and moments alone do not fit into the memory."""
    parameters = sum(parameter.numel() for parameter in model.parameters())
    if BYTES * parameters > torch.cuda.get_device_properties(device).total_memory:
        return None
    inputs, generator = Inputs.of(family, model, batch), torch.Generator(device).manual_seed(0)
    step = training_step(model.train(), lambda: model.loss(inputs.codes, inputs.actions, generator)[0], autocast=True)
    torch.cuda.reset_peak_memory_stats(device)
    step_s = median_seconds(step, device, repeats)
    achieved = 3 * batch * forward / step_s / 1e12  # the backward pass is two forwards' matrix products
    return {
        "batch": batch,
        "step_s": round(step_s, 5),
        "peak_gb": round(torch.cuda.max_memory_allocated(device) / 1e9, 3),
        "tflops": round(achieved, 2),
        "mfu": round(achieved / peak_tflops, 4) if peak_tflops else None,
    }


if __name__ == "__main__":
    sys.exit(main())
