"""Trains the baselines on a store, for equal processor time."""

from collections.abc import Callable
from pathlib import Path
from time import process_time
from typing import Any

import torch

from hwm_core.data.episodes.store import Store
from hwm_core.errors import BadConfig
from hwm_core.evaluation.closed_loop.baselines.files import NETWORKS, NetworkKind, write_baselines
from hwm_core.evaluation.closed_loop.baselines.keypoint_net import KeypointNet
from hwm_core.evaluation.closed_loop.baselines.samples import PairSampler

_BATCH = 64
_LEARNING_RATE, _WARMUP = 2e-3, 0.03  # peak, and share of the time in which it is reached
_VALIDATION_PAIRS = 512

Report = Callable[[str, int, float], None]  # name of the network, step, share of its time that is used


def fit_baselines(store: Store, path: Path, out: Path, minutes: float, seed: int, report: Report) -> dict[str, Any]:
    """Train both networks for `minutes` each and write `out`.

    Args:
        store: training and validation episodes with states and commands.
        path: of the store, for the replay of its motions.
        out: folder to write.
        minutes: processor minutes of each network, summed over its threads.
        seed: of weights and samples.
        report: called for every step.

    Returns:
        {network: {"steps", "training_loss", "validation_loss"}}; losses in squared z-scores, None without
        validation episodes.

    Raises:
        BadConfig: the store has no manifest of commands.
        BadActions: the episodes lack states or commands.
    """
    if "commands" not in store.manifests:
        raise BadConfig(
            f"Store {path}",
            expected="commands.yaml, the manifest of the commands",
            got="none",
            remedy="Prepare recordings that contain commands.",
        )
    manifest = store.manifests["commands"]
    sampler = PairSampler(store.training, manifest, seed)
    validation = PairSampler(store.validation, manifest, seed + 1) if store.validation else None
    networks: dict[str, KeypointNet] = {}
    training: dict[str, dict[str, float | None]] = {}
    for name, kind in NETWORKS.items():
        torch.manual_seed(seed)
        network = kind.build(manifest.dim)
        training[name] = _train(network, kind, sampler, 60 * minutes, lambda *now, name=name: report(name, *now))
        training[name]["validation_loss"] = _validation_loss(network, kind, validation)
        networks[name] = network
    write_baselines(
        out,
        networks,
        store=str(path.resolve()),
        manifest=manifest,
        preprocessing=store.preprocessing,
        training=training,
    )
    return training


def _train(
    network: KeypointNet, kind: NetworkKind, sampler: PairSampler, seconds: float, report: Callable[[int, float], None]
) -> dict[str, float | None]:
    """AdamW with a learning rate that rises and falls with the time used."""
    optimiser = torch.optim.AdamW(network.parameters(), lr=_LEARNING_RATE, weight_decay=1e-3)
    begin, step, mean_loss = process_time(), 0, float("nan")
    while (used := (process_time() - begin) / seconds) < 1:
        for group in optimiser.param_groups:
            group["lr"] = _LEARNING_RATE * min(used / _WARMUP, 1.0, 1.02 - used)
        loss = kind.loss(network, sampler.draw(_BATCH))
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        step += 1
        newest = float(loss.detach())
        mean_loss = newest if step == 1 else 0.99 * mean_loss + 0.01 * newest
        report(step, used)
    return {"steps": step, "training_loss": mean_loss, "minutes": seconds / 60}


@torch.inference_mode()
def _validation_loss(network: KeypointNet, kind: NetworkKind, sampler: PairSampler | None) -> float | None:
    return None if sampler is None else float(kind.loss(network.eval(), sampler.draw(_VALIDATION_PAIRS)))
