"""Compare the speed of hwm's masked split model with the released implementation.

    git clone https://github.com/qasim-ali0/humanoid_world_model peer
    pip install --no-deps mup; pip install transformers huggingface_hub
    python -m benchmarks.peer.comparison --peer peer

Both models run in one process, on the same device and with the same configuration. The released code is imported from
the checkout; benchmarks/peer/released.py lists the changes that it needs to run there. The result is
benchmarks/results/peer/<device>_depth<depth>.json.

Forward: from tokens and actions to logits, in evaluation mode. Training step: loss, backward pass, gradient clipping,
AdamW. Both use float32.
"""

import argparse
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.peer.released import FRAMES, build_peer
from benchmarks.record import RESULTS, command_line, write_result
from benchmarks.stopwatch import seconds
from benchmarks.training_step import training_step
from hwm_core.config import overridden
from hwm_core.device import read_device
from hwm_core.errors import BadInput
from hwm_core.models.masked import MaskedWorldModel
from hwm_core.models.masked_config import MaskedConfig

Calls = Mapping[str, Callable[[], object]]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line. Exit status 0: done; 2: bad input."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", type=Path, required=True, help="a checkout of the released implementation")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu", help="cpu or cuda")
    parser.add_argument("--batch", type=int, default=1, help="batch size (%(default)s)")
    parser.add_argument("--repeats", type=int, default=3, help="timed calls, after one warm-up call (%(default)s)")
    parser.add_argument("--results", type=Path, default=RESULTS / "peer", help="folder to write (%(default)s)")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="for both models: depth, dim, num_heads")
    parsed = parser.parse_args(words)
    torch.set_num_threads(1)
    try:
        device = read_device(parsed.device)
        changed = overridden({"variant": "split"}, parsed.overrides)
        numbers = compare(parsed.peer, MaskedConfig.parse(changed), device, parsed.batch, parsed.repeats)
    except BadInput as error:
        parser.error(str(error))
    write_result(
        parsed.results / f"{device.type}_depth{numbers['configuration']['depth']}.json",
        command=command_line("benchmarks.peer.comparison", words),
        n={"repeats": parsed.repeats, "batch": parsed.batch},
        numbers=numbers,
        device=parsed.device,
    )
    for name, row in numbers["seconds"].items():
        print(
            f"{name.replace('_', ' ')}: hwm {row['hwm']:.2f} s, released {row['released']:.2f} s, "
            f"ratio {row['released_over_hwm']:.2f}"
        )
    return 0


def compare(peer: Path, config: MaskedConfig, device: torch.device, batch: int, repeats: int) -> dict[str, Any]:
    """Median seconds of both models in alternating calls, and their ratio.

    Args:
        peer: a checkout of the released implementation.
        repeats: timed calls of each model.

    Raises BadConfig if the released implementation cannot be imported.
    """
    torch.manual_seed(0)
    released = build_peer(peer, config, device)
    hwm = MaskedWorldModel(config).to(device)
    models: dict[str, nn.Module] = {"hwm": hwm, "released": released}
    tokens = torch.randint(hwm.vocabulary.size, (batch, config.num_latents, *config.grid), device=device)
    actions = torch.randn(batch, FRAMES, config.action_dim, device=device)
    calls = {
        "hwm": _hwm_calls(hwm, tokens, actions),
        "released": _released_calls(released, tokens, actions, config.num_past_latents),
    }
    rows = {}
    for name, training in (("forward", False), ("training_step", True)):
        durations: dict[str, list[float]] = {key: [] for key in calls}
        for _ in range(1 + repeats):  # alternating, so that other load on the machine affects both models
            for key, model_calls in calls.items():
                models[key].train(training)
                with torch.set_grad_enabled(training):
                    durations[key].append(seconds(model_calls[name], device))
        median = {key: statistics.median(values[1:]) for key, values in durations.items()}
        rows[name] = {
            **{key: float(f"{value:.4g}") for key, value in median.items()},
            "released_over_hwm": float(f"{median['released'] / median['hwm']:.4g}"),
        }
    return {
        "configuration": {key: getattr(config, key) for key in ("variant", "dim", "depth", "num_heads", "dropout")},
        "parameters": {key: sum(p.numel() for p in model.parameters()) for key, model in models.items()},
        "attention": "xformers"
        if device.type == "cuda"
        else "torch's scaled_dot_product_attention in place of xformers",
        "seconds": rows,
    }


def _hwm_calls(model: MaskedWorldModel, tokens: Tensor, actions: Tensor) -> Calls:
    past, generator = model.config.num_past_latents, torch.Generator(tokens.device).manual_seed(0)
    sites = model.to_sites(tokens).clone()
    sites[:, past:] = model.vocabulary.mask_token
    return {
        "forward": lambda: model(sites, actions),
        "training_step": training_step(model, lambda: model.loss(tokens, actions, generator)[0]),
    }


def _released_calls(model: Any, tokens: Tensor, actions: Tensor, past: int) -> Calls:
    masked = tokens.clone()
    masked[:, past:] = model.mask_token_id
    is_masked = torch.rand(masked[:, past:].shape, device=tokens.device) < 0.64  # the mean of its cosine schedule
    future = torch.where(is_masked, masked[:, past:], tokens[:, past:])
    inputs = torch.cat([tokens[:, :past], future], dim=1).flatten(1)
    return {
        "forward": lambda: model.compute_logits_maskgit(masked, actions=actions),
        "training_step": training_step(model, lambda: model(inputs, tokens.flatten(1), actions).loss),
    }


if __name__ == "__main__":
    sys.exit(main())
