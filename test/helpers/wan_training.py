"""Training of a small Wan model with a base in bfloat16, in one process or two."""

from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from wan_models import clip, model

from hwm_core.data.batches import TokenBatch
from hwm_core.train.config import TrainingConfig
from hwm_core.train.ranks import Ranks
from hwm_core.train.state import read_shards, read_state, save_state
from hwm_core.train.trainer import Trainer

STEPS = 3


class Clips(torch.utils.data.Dataset):
    """Eight windows of latents."""

    def __init__(self) -> None:
        self.codes, self.actions = clip(8)

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, index: int) -> TokenBatch:
        return TokenBatch(self.codes[index], self.actions[index])


class Task:
    """A Wan model on latents."""

    def __init__(self) -> None:
        self.module = model(base_dtype="bfloat16").train()

    def loss(self, batch: TokenBatch, generator: torch.Generator) -> Any:
        return self.module.loss(batch.tokens, batch.actions, generator)

    def tokens(self, batch: TokenBatch) -> int:
        return batch.tokens[..., 0].numel()


class Losses:
    """A reporter that keeps the losses."""

    def __init__(self) -> None:
        self.found: list[float] = []

    def report(self, progress: Any, metrics: Any) -> None:
        self.found += [metrics["train/loss"]] if "train/loss" in metrics else []


def run(parallel: str, ranks: Ranks, folder: Path | None = None, stop: int = STEPS) -> dict[str, Any]:
    """Train `stop` steps, from the state in `folder` and into it; the weights are None except on the first rank."""
    losses = Losses()
    config = TrainingConfig(
        steps=STEPS,
        batch_size=4,
        learning_rate=1e-3,
        schedule="constant",
        warmup_steps=0,
        report_every=1,
        parallel=parallel,
        activation_checkpointing=True,
    )
    made = Trainer(Task(), config, ranks=ranks, reporter=losses)
    if folder is not None and (states := sorted(folder.glob("state*"))):
        sharded = states[0].is_dir()
        state = read_shards(states[0], made.state_dict()) if sharded else read_state(states[0])
        made.load_state_dict(state, sharded=sharded)
    made.fit(Clips(), stop=lambda: made.step == stop)
    if folder is not None:
        save_state(folder, made.state_dict(), sharded=made.parallel.sharded, ranks=ranks)
    result = made.result()
    return {"losses": losses.found, "weights": None if result is None else result.state_dict()}


def of_two(rank: int, folder: Path) -> None:
    """All runs of one of two processes; the results are saved in `folder`."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder / 'meeting'}", rank=rank, world_size=2)
    ranks, found = Ranks(torch.device("cpu"), rank, 2), {}
    for parallel in ("ddp", "fsdp"):
        of_parts = folder / parallel
        if ranks.is_first:
            of_parts.mkdir()
        ranks.barrier()
        run(parallel, ranks, of_parts, stop=1)
        found[parallel] = {"whole": run(parallel, ranks), "resumed": run(parallel, ranks, of_parts)}
    torch.save(found, folder / f"found_{rank}.pt")
    dist.destroy_process_group()
