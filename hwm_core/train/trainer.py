"""The training loop of tokenizers and world models."""

import math
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_state_dict,
    set_model_state_dict,
    set_state_dict,
)
from torch.nn.utils import clip_grads_with_norm_, get_total_norm
from torch.utils.data import DataLoader, Dataset

from hwm_core.data.batches import Batch, stack
from hwm_core.errors import BadCheckpoint, BadConfig
from hwm_core.precision import autocast, read_precision
from hwm_core.rng.batch_rows import RowGenerator
from hwm_core.train.broken_step import BadGradient, BrokenStep
from hwm_core.train.config import TrainingConfig
from hwm_core.train.optimiser import build_optimisers
from hwm_core.train.order import BatchOrder, mix_seed
from hwm_core.train.parallel import full_tensor, local_tensor, parallelise
from hwm_core.train.ranks import Ranks
from hwm_core.train.reporter import NullReporter, Progress, Reporter
from hwm_core.train.schedule import learning_rate_factor
from hwm_core.train.throughput import Throughput
from hwm_core.train.training_task import TrainingTask

CLOCKS = {"wall": time.monotonic, "processor": time.process_time}


class Trainer:
    """Optimises a task's module; can stop after any step and resume later, bit for bit.

    All random numbers are seeded at every step from (seed, step), so a saved state needs no generator and no position
    in the data. With a budget in minutes the learning rate follows the clock, so two runs differ.

    Each rank computes its rows of every batch, in `accumulation` micro-batches. Random numbers and mean loss are the
    same as in one process that computes the whole batch. The exception is dropout, whose masks differ.
    """

    def __init__(
        self,
        task: TrainingTask[Any],
        config: TrainingConfig,
        *,
        ranks: Ranks | None = None,
        reporter: Reporter | None = None,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self.task, self.config, self.ranks = task, config, ranks or Ranks()
        self.reporter, self.clock = reporter or NullReporter(), clock or CLOCKS[config.clock]
        self._micro_batch_size = self.ranks.micro_batch_size(config.batch_size, config.accumulation)
        self.parallel = parallelise(task, config, self.ranks)
        self.module = task.module
        self.optimisers = build_optimisers(self.module, config)
        self.generator = RowGenerator(self.ranks.device)
        self._dtype = read_precision(config.precision, self.ranks.device)
        self.throughput = Throughput(self.ranks, config.peak_tflops, self._dtype)
        self.step, self._elapsed_s, self._since = 0, 0.0, self.clock()
        self._windows = math.inf  # of the data set, once it is known

    @property
    def progress(self) -> Progress:
        """How far the run has come, by this rank's clock."""
        elapsed_s = self._elapsed_s + self.clock() - self._since
        used = [0.0]
        if self.config.steps is not None:
            used.append(self.step / self.config.steps)
        if self.config.epochs is not None:
            used.append(self.step * self.config.batch_size / (self.config.epochs * self._windows))
        if self.config.max_minutes is not None:
            used.append(elapsed_s / (60.0 * self.config.max_minutes))
        return Progress(self.step, elapsed_s, min(1.0, max(used)))

    def fit(
        self,
        dataset: Dataset[Any],
        *,
        evaluate: Callable[[Any], Mapping[str, float]] | None = None,
        save: Callable[[], None] | None = None,
        stop: Callable[[], bool] = lambda: False,
    ) -> bool:
        """Train until the budget is used up, or until `stop()` holds on any rank; it is called after each step.

        Args:
            dataset: items are windows, which `hwm_core.data.batches.stack` makes a batch.
            evaluate: metrics of the result; called on the first rank every `evaluate_every` steps and at the end.
            save: called on every rank every `save_every_minutes` and at the end, also when stopped.

        Returns:
            Whether the budget is used up.

        Raises:
            BadGradient: the gradient of a step is not finite; the weights are unchanged since the last good step.
        """
        self._windows = len(dataset)  # type: ignore[arg-type]
        batches = iter(self._loader(dataset))
        saved_at, first = self.clock(), self.step + 1  # the first step is reported: something moves within seconds
        while not (finished := self._budget_used() >= 1.0) and not self.ranks.any(stop()):
            began = time.perf_counter()
            batch = next(batches)
            metrics = self.train_step(batch)
            self.throughput.add(self.config.batch_size, self.task.tokens(batch), time.perf_counter() - began)
            if self.step == first or self.step % self.config.report_every == 0:
                self._report("train", {**self.ranks.mean(metrics), **self.throughput.metrics()})
            if evaluate and self.step % self.config.evaluate_every == 0:
                self._evaluate(evaluate)
            if save and self.ranks.broadcast(self.clock() - saved_at) > 60.0 * self.config.save_every_minutes:
                save()
                saved_at = self.clock()
        if finished and evaluate and self.step % self.config.evaluate_every:
            self._evaluate(evaluate)
        if save:
            save()
        return finished

    def train_step(self, batch: Batch) -> dict[str, Tensor | float]:
        """One optimiser step on this rank's rows of a batch; returns the metrics to report.

        Raises BadGradient before a gradient that is not finite changes the weights.
        """
        rate = self.config.learning_rate * learning_rate_factor(
            self.config.schedule, self.step, self.config.warmup_steps, self._budget_used()
        )
        for group in (group for optimiser in self.optimisers for group in optimiser.param_groups):
            group["lr"] = rate

        metrics = self._backward(batch)
        gradients = [p.grad for p in self.module.parameters() if p.grad is not None]
        norm = get_total_norm(gradients)  # a DTensor where weights are sharded
        if not math.isfinite(size := float(full_tensor(norm))):
            broken = self._broken_step(batch, metrics)
            raise BadGradient(self.step, norm=size, loss=self.ranks.mean(metrics)["loss"], broken=broken)
        clip_grads_with_norm_(self.module.parameters(), self.config.clip_norm, norm)
        for optimiser in self.optimisers:
            optimiser.step()
        self.module.zero_grad(set_to_none=True)
        if self.parallel.average is not None:
            self.parallel.average.update_parameters(self.module)
        self.step += 1
        return {**metrics, "gradient_norm": size, "learning_rate": rate}

    def replay(self, broken: BrokenStep) -> BrokenStep:
        """Compute the loss and the gradient of a saved step again; returns the step with the new results.

        Raises BadConfig with several ranks: the saved batch is the batch of all ranks.
        """
        if self.ranks.size > 1:
            raise BadConfig("replay", expected="one process", got=self.ranks.size, remedy="Start it without torchrun.")
        self.module.load_state_dict(broken.weights)
        self.step, self.config = broken.step, self.config.model_copy(update={"seed": broken.seed})
        again = self._broken_step(broken.batch, self._backward(broken.batch))
        assert again is not None
        return again

    def result(self) -> Any:
        """The module to evaluate and export, the moving average if there is one; None except on the first rank.

        All ranks call it.
        """
        return self.parallel.result()

    def state_dict(self) -> dict[str, Any]:
        """Everything that a resumed run needs; with sharded weights this rank's part. All ranks call it."""
        module, optimisers = get_state_dict(self.module, self.optimisers)
        average = self.parallel.average
        return {
            "step": self.step,
            "elapsed_s": self.progress.elapsed_s,
            "module": module,
            "optimisers": optimisers,
            "average": average.state_dict() if average is not None else None,
        }

    def load_state_dict(self, state: Mapping[str, Any], *, sharded: bool = False) -> None:
        """Continue from `state`.

        Args:
            sharded: `state` is this rank's part of a sharded state, not a full state.

        Raises:
            BadCheckpoint: the state belongs to another module or configuration.
        """
        options = StateDictOptions(full_state_dict=not sharded and self.parallel.sharded)
        try:
            set_state_dict(
                self.module,
                self.optimisers,
                model_state_dict=state["module"],
                optim_state_dict=state["optimisers"],
                options=options,
            )
            if self.parallel.average is not None:
                set_model_state_dict(self.parallel.average, state["average"], options=options)
            self.step, self._elapsed_s, self._since = state["step"], state["elapsed_s"], self.clock()
        except (KeyError, RuntimeError, ValueError, TypeError, AttributeError) as error:
            raise BadCheckpoint(
                "training state",
                expected="the state of a run with this configuration",
                got=" ".join(line.strip() for line in str(error).splitlines()[:3]),
                remedy="Resume with the configuration the run was started with.",
            ) from None

    def _backward(self, batch: Batch) -> dict[str, Tensor | float]:
        """Compute the gradient of the mean loss over the batch; returns the means of loss and metrics."""
        self.module.train()
        # nn.Dropout uses torch's global generator; all other random numbers come from the task's generator.
        torch.manual_seed(mix_seed(self.config.seed + self.ranks.rank, 2 * self.step + 1))
        parts = self.config.accumulation
        means: dict[str, Tensor | float] = {}
        for number, micro_batch in enumerate(batch.to(self.ranks.device, non_blocking=True).chunk(parts)):
            with self.parallel.micro_batch(last=number == parts - 1):
                with self._autocast(), self.throughput.count_flops(self._micro_batch_size):
                    loss, metrics = self.parallel.loss(micro_batch, self._seeded_generator(number))
                (loss / parts).backward()
            for name, value in {"loss": loss.detach(), **metrics}.items():
                means[name] = means.get(name, 0.0) + value / parts
        return means

    def _seeded_generator(self, part: int) -> RowGenerator:
        """The generator for micro-batch `part` of this step."""
        first = (self.ranks.rank * self.config.accumulation + part) * self._micro_batch_size
        return self.generator.seed_rows(mix_seed(self.config.seed, 2 * self.step), first, self.config.batch_size)

    def _broken_step(self, batch: Batch, metrics: Mapping[str, Tensor | float]) -> BrokenStep | None:
        """The step whose gradient has just been computed, on the first rank. All ranks call it."""
        bad = torch.tensor(
            [p.grad is not None and not local_tensor(p.grad).isfinite().all() for p in self.module.parameters()]
        )
        counts = zip((name for name, _ in self.module.named_parameters()), self.ranks.sum(bad.long()).tolist())
        whole, weights, loss = self.ranks.gather(batch), self.parallel.weights(), self.ranks.mean(metrics)["loss"]
        if whole is None or weights is None:
            return None
        parameters = tuple(name for name, count in counts if count)
        return BrokenStep(self.step, self.config.seed, loss, parameters, whole, weights)

    def _loader(self, dataset: Dataset[Any]) -> DataLoader:
        share = self._micro_batch_size * self.config.accumulation
        order = BatchOrder(
            len(dataset),  # type: ignore[arg-type]
            self.config.batch_size,
            self.config.seed,
            first=self.step,
            rows=slice(self.ranks.rank * share, (self.ranks.rank + 1) * share),
        )
        return DataLoader(
            dataset,
            batch_sampler=order,
            collate_fn=stack,
            num_workers=self.config.workers,
            pin_memory=self.ranks.device.type == "cuda",
        )

    def _budget_used(self) -> float:
        """The fraction of the budget that is used, by the first rank's clock: the ranks' clocks differ."""
        return self.ranks.broadcast(self.progress.budget_used)

    def _autocast(self) -> AbstractContextManager:
        return autocast(self.ranks.device, self._dtype)

    @torch.no_grad()
    def _evaluate(self, evaluate: Callable[[Any], Mapping[str, float]]) -> None:
        result = self.result()
        if self.ranks.is_first:
            result.eval()
            with self._autocast():
                metrics = evaluate(result)
            self._report("validation", metrics)

    def _report(self, kind: str, metrics: Mapping[str, float]) -> None:
        if self.ranks.is_first:
            self.reporter.report(self.progress, {f"{kind}/{name}": value for name, value in metrics.items()})
