"""Training of tiny models without tokenizer or store, in one process or two, for the tests of ranks."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
import torch.distributed as dist
from eight_models import Case
from torch import Tensor

from hwm_core.data.batches import TokenBatch
from hwm_core.rng.batch_rows import normal
from hwm_core.train.broken_step import BadGradient, write_broken_step
from hwm_core.train.config import TrainingConfig
from hwm_core.train.ranks import Ranks
from hwm_core.train.reporter import Progress
from hwm_core.train.state import newest_state, read_shards, read_state, save_state
from hwm_core.train.trainer import Trainer

CASES = {
    "masked": Case("masked", "split", "time_aligned"),
    "flow": Case("flow", "base", "full"),
    "st_transformer": Case("st_transformer", "base", "time_aligned"),
}
STEPS, STOP = 4, 2


class Clips(torch.utils.data.Dataset):
    """Ten clips of codes with actions; the clips in `broken` have NaN actions."""

    def __init__(self, family: str, broken: tuple[int, ...] = ()) -> None:
        self.codes, self.actions = CASES[family].clip(batch=10)
        self.actions[list(broken)] = torch.nan

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, index: int) -> TokenBatch:
        return TokenBatch(self.codes[index], self.actions[index])


class CodesTask:
    """A world model on codes, with noise on the actions as augmentation."""

    def __init__(self, family: str, **changes: object) -> None:
        self.module = CASES[family].build(depth=2, **changes)

    def loss(self, batch: TokenBatch, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        actions = batch.actions + 0.1 * normal(batch.actions.shape, generator)
        return self.module.loss(batch.tokens, actions, generator)

    def tokens(self, batch: TokenBatch) -> int:
        return batch.tokens[..., 0].numel()


class Losses:
    """A reporter that keeps the losses and the evaluations."""

    def __init__(self) -> None:
        self.train: list[float] = []
        self.validation: list[float] = []

    def report(self, progress: Progress, metrics: Mapping[str, float]) -> None:
        if "train/loss" in metrics:
            self.train.append(metrics["train/loss"])
        else:
            self.validation.append(metrics["validation/size"])


def trainer(
    family: str, ranks: Ranks | None = None, model: Mapping[str, object] = MappingProxyType({}), **changes: object
) -> tuple[Trainer, Losses]:
    """A new trainer, and its reporter."""
    values = {"steps": STEPS, "batch_size": 4, "learning_rate": 1e-3, "warmup_steps": 1, "precision": "float32"}
    always = {"ema_decay": 0.9, "report_every": 1, "evaluate_every": 1000}
    losses = Losses()
    config = TrainingConfig.parse({**values, **always, **changes})
    return Trainer(CodesTask(family, **model), config, ranks=ranks, reporter=losses), losses


def size(module: torch.nn.Module) -> dict[str, float]:
    """An evaluation: the sum of the magnitudes of all weights."""
    return {"size": float(sum(p.detach().abs().double().sum() for p in module.parameters()))}


def run(family: str, ranks: Ranks | None = None, folder: Path | None = None, **changes: object) -> dict[str, Any]:
    """Train to the end, from the state in `folder` if there is one. Only the first rank returns the result."""
    made, losses = trainer(family, ranks, **changes)
    if folder is not None and (newest := newest_state(folder)):
        sharded = newest.is_dir()
        state = read_shards(newest, made.state_dict()) if sharded else read_state(newest)
        made.load_state_dict(state, sharded=sharded)
    made.fit(Clips(family), evaluate=size)
    result = made.result()
    weights = None if result is None else [p.detach().clone() for p in result.parameters()]
    return {"losses": losses.train, "validation": losses.validation, "weights": weights, "step": made.step}


def run_and_stop(family: str, folder: Path, ranks: Ranks | None = None, **changes: object) -> int:
    """Train until the last rank stops the run, and save; returns the steps done."""
    made, _ = trainer(family, ranks, **changes)
    stops = ranks is None or ranks.rank == ranks.size - 1

    def save() -> None:
        save_state(folder, made.state_dict(), sharded=made.parallel.sharded, ranks=made.ranks)

    made.fit(Clips(family), save=save, stop=lambda: stops and made.step == STOP)
    return made.step


def run_with_broken_clip(family: str, folder: Path, ranks: Ranks | None = None, **changes: object) -> str:
    """Train on clips with one broken clip, and save the broken step; returns the message of the error."""
    made, _ = trainer(family, ranks, **changes)
    try:
        made.fit(Clips(family, broken=(7,)))
    except BadGradient as error:
        if error.broken is not None:
            write_broken_step(folder / f"{changes.get('parallel', 'alone')}.pt", error.broken)
        return str(error)
    return "no error"


def of_two(rank: int, folder: Path) -> None:
    """All runs of one of two processes; the results are saved in `folder`."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder / 'meeting'}", rank=rank, world_size=2)
    ranks, found = Ranks(torch.device("cpu"), rank, 2), {}
    for family in CASES:
        for parallel in ("ddp", "fsdp"):
            one = {"parallel": parallel, "ranks": ranks}
            of_two_folder = folder / f"{family}-{parallel}"
            if ranks.is_first:
                of_two_folder.mkdir()
            ranks.barrier()
            found[family, parallel] = {
                "whole": run(family, **one),
                "parts": run(family, accumulation=2, **one) if family == "masked" else None,
                "from one": run(
                    family, folder=folder / f"{family}-alone", activation_checkpointing=parallel == "fsdp", **one
                ),
                "stopped": run_and_stop(family, of_two_folder, **one),
                "resumed": run(family, folder=of_two_folder, **one),
                "broken": run_with_broken_clip(family, folder, **one) if family == "flow" else None,
            }
    torch.save(found, folder / f"found_{rank}.pt")
    dist.destroy_process_group()
