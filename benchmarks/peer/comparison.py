"""Our masked split model beside the released implementation: same device, same configuration, one run.

    git clone https://github.com/qasim-ali0/humanoid_world_model peer
    pip install --no-deps mup; pip install transformers huggingface_hub
    python -m benchmarks.peer.comparison --peer peer

writes benchmarks/results/peer/<device>_depth<depth>.json. Its code is imported from the checkout;
benchmarks/peer/released.py says what it takes to run there.
Forward: from tokens and actions to logits, in evaluation. Training step: loss,
backward, gradient clipping, AdamW. Both in float32.
"""

import argparse
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks.peer.released import FRAMES, build_peer
from benchmarks.record import RESULTS, command_line, write_result
from benchmarks.stopwatch import seconds
from benchmarks.training_step import training_step
from hwm_core.config import overridden
from hwm_core.device import read_device
from hwm_core.errors import BadInput
from hwm_core.models.masked import MaskedConfig, MaskedWorldModel

Calls = Mapping[str, Callable[[], object]]


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", type=Path, required=True, help="a checkout of the released implementation")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu", help="(%(default)s)")
    parser.add_argument("--batch", type=int, default=1, help="(%(default)s)")
    parser.add_argument("--repeats", type=int, default=3, help="timed calls of each after one to warm up (%(default)s)")
    parser.add_argument("--results", type=Path, default=RESULTS / "peer", help="folder to write (%(default)s)")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="changes to both: depth, dim, num_heads")
    parsed = parser.parse_args(words)
    torch.set_num_threads(1)
    try:
        device = read_device(parsed.device)
        changed = overridden({"variant": "split"}, parsed.overrides)
        figures = compare(parsed.peer, MaskedConfig.parse(changed), device, parsed.batch, parsed.repeats)
    except BadInput as error:
        parser.error(str(error))
    write_result(
        parsed.results / f"{device.type}_depth{figures['configuration']['depth']}.json",
        command=command_line("benchmarks.peer.comparison", words),
        n={"repeats": parsed.repeats, "batch": parsed.batch},
        figures=figures,
        device=parsed.device,
    )
    for name, row in figures["seconds"].items():
        print(
            f"{name}: ours {row['ours']:.2f} s, theirs {row['theirs']:.2f} s, {row['theirs_over_ours']:.2f} times ours"
        )
    return 0


def compare(peer: Path, config: MaskedConfig, device: torch.device, batch: int, repeats: int) -> dict[str, Any]:
    """Seconds of both, call by call in turn, and their ratio. Raises BadConfig."""
    torch.manual_seed(0)
    theirs = build_peer(peer, config, device)
    models: dict[str, Any] = {"ours": MaskedWorldModel(config).to(device), "theirs": theirs}
    vocabulary = models["ours"].vocabulary.size
    tokens = torch.randint(vocabulary, (batch, config.num_latents, *config.grid), device=device)
    actions = torch.randn(batch, FRAMES, config.action_dim, device=device)
    calls = {
        "ours": _ours(models["ours"], tokens, actions),
        "theirs": _theirs(models["theirs"], tokens, actions, config.num_past_latents),
    }
    rows = {}
    for name, training in (("forward", False), ("training step", True)):
        spent: dict[str, list[float]] = {who: [] for who in calls}
        for _ in range(1 + repeats):  # in turn: what disturbs the machine disturbs both
            for who, of in calls.items():
                models[who].train(training)
                with torch.set_grad_enabled(training):
                    spent[who].append(seconds(of[name], device))
        median = {who: statistics.median(some[1:]) for who, some in spent.items()}
        rows[name] = {
            **{who: float(f"{value:.4g}") for who, value in median.items()},
            "theirs_over_ours": float(f"{median['theirs'] / median['ours']:.4g}"),
        }
    return {
        "configuration": {key: getattr(config, key) for key in ("variant", "dim", "depth", "num_heads", "dropout")},
        "parameters": {who: sum(p.numel() for p in model.parameters()) for who, model in models.items()},
        "attention": "xformers"
        if device.type == "cuda"
        else "torch's scaled_dot_product_attention in place of xformers",
        "seconds": rows,
    }


def _ours(model: Any, tokens: Tensor, actions: Tensor) -> Calls:
    past, generator = model.config.num_past_latents, torch.Generator(tokens.device).manual_seed(0)
    sites = model.to_sites(tokens).clone()
    sites[:, past:] = model.vocabulary.mask_token
    return {
        "forward": lambda: model(sites, actions),
        "training step": training_step(model, lambda: model.loss(tokens, actions, generator)[0]),
    }


def _theirs(model: Any, tokens: Tensor, actions: Tensor, past: int) -> Calls:
    masked = tokens.clone()
    masked[:, past:] = model.mask_token_id
    some = torch.rand(masked[:, past:].shape, device=tokens.device) < 0.64  # the mean of its cosine schedule
    trained = torch.cat([tokens[:, :past], torch.where(some, masked[:, past:], tokens[:, past:])], dim=1).flatten(1)
    return {
        "forward": lambda: model.compute_logits_maskgit(masked, actions=actions),
        "training step": training_step(model, lambda: model(trained, tokens.flatten(1), actions).loss),
    }


if __name__ == "__main__":
    sys.exit(main())
