"""The training loop, for tokenizers and world models alike."""

import math
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
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
from hwm_core.rng.batch_rows import RowGenerator
from hwm_core.train.broken_step import BadGradient, BrokenStep
from hwm_core.train.config import TrainingConfig
from hwm_core.train.optimiser import build_optimisers
from hwm_core.train.order import BatchOrder, mix
from hwm_core.train.parallel import own, share_out, whole
from hwm_core.train.ranks import Ranks
from hwm_core.train.reporter import Position, Reporter, Silent
from hwm_core.train.schedule import learning_rate_factor
from hwm_core.train.task import TrainingTask
from hwm_core.train.throughput import Throughput

CLOCKS = {"wall": time.monotonic, "processor": time.process_time}


class Trainer:
    """Optimises a trainee; can stop after any step and go on later, bit for bit.

    Randomness is reseeded at every step from (seed, step), so the state to keep is the step itself: no generator, no
    position in the data. With a budget in minutes the learning rate follows the clock, and two runs differ.

    Of several ranks each computes its rows of every batch, in `accumulation` parts. Rows, their random draws and the
    mean loss are those of one process that computes the whole batch, but for dropout, whose masks each part draws.
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
        self.reporter, self.clock = reporter or Silent(), clock or CLOCKS[config.clock]
        self._rows = self.ranks.share(config.batch_size, config.accumulation)  # of a part
        self.parallel = share_out(task, config, self.ranks)
        self.module = task.module
        self.optimisers = build_optimisers(self.module, config)
        self.generator = RowGenerator(self.ranks.device)
        self.throughput = Throughput(self.ranks, config.peak_tflops, config.precision)
        self.step, self._elapsed_s, self._since = 0, 0.0, self.clock()

    @property
    def position(self) -> Position:
        """Where this rank is, by its own clock."""
        elapsed_s = self._elapsed_s + self.clock() - self._since
        spent = [0.0]
        if self.config.steps is not None:
            spent.append(self.step / self.config.steps)
        if self.config.max_minutes is not None:
            spent.append(elapsed_s / (60.0 * self.config.max_minutes))
        return Position(self.step, elapsed_s, min(1.0, max(spent)))

    def fit(
        self,
        dataset: Dataset[Any],
        *,
        evaluate: Callable[[Any], Mapping[str, float]] | None = None,
        save: Callable[[], None] | None = None,
        stop: Callable[[], bool] = lambda: False,
    ) -> bool:
        """Train until the budget is spent or `stop()` on any rank, asked after each step.

        Args:
            dataset: items are windows that `hwm_core.data.batches.stack` makes a batch of.
            evaluate: numbers of the result, every `evaluate_every` steps and at the end; called on the first rank.
            save: called on every rank every `save_every_minutes` and at the end, however it comes.

        Returns:
            Whether the budget is spent.

        Raises:
            BadGradient: the gradient of a step is not finite; the weights are still those of the last good step.
        """
        batches = iter(self._loader(dataset))
        saved_at = self.clock()
        while not (finished := self._spent() >= 1.0) and not self.ranks.any(stop()):
            began = time.perf_counter()
            batch = next(batches)
            numbers = self.train_step(batch)
            self.throughput.add(self.config.batch_size, self.task.tokens(batch), time.perf_counter() - began)
            if self.step % self.config.report_every == 0:
                self._report("train", {**self.ranks.mean(numbers), **self.throughput.numbers()})
            if evaluate and self.step % self.config.evaluate_every == 0:
                self._evaluate(evaluate)
            if save and self.ranks.agree(self.clock() - saved_at) > 60.0 * self.config.save_every_minutes:
                save()
                saved_at = self.clock()
        if finished and evaluate and self.step % self.config.evaluate_every:
            self._evaluate(evaluate)
        if save:
            save()
        return finished

    def train_step(self, batch: Batch) -> dict[str, Tensor | float]:
        """One optimiser step on this rank's rows of a batch; returns the numbers to report.

        Raises BadGradient, before it spoils the weights and the next state saved.
        """
        rate = self.config.learning_rate * learning_rate_factor(
            self.config.schedule, self.step, self.config.warmup_steps, self._spent()
        )
        for group in (group for optimiser in self.optimisers for group in optimiser.param_groups):
            group["lr"] = rate

        numbers = self._backward(batch)
        gradients = [p.grad for p in self.module.parameters() if p.grad is not None]
        norm = get_total_norm(gradients)  # of DTensors, where weights are sharded
        if not math.isfinite(size := float(whole(norm))):
            broken = self._broken_step(batch, numbers)
            raise BadGradient(self.step, norm=size, loss=self.ranks.mean(numbers)["loss"], broken=broken)
        clip_grads_with_norm_(self.module.parameters(), self.config.clip_norm, norm)
        for optimiser in self.optimisers:
            optimiser.step()
        self.module.zero_grad(set_to_none=True)
        if self.parallel.average is not None:
            self.parallel.average.update_parameters(self.module)
        self.step += 1
        return {**numbers, "gradient_norm": size, "learning_rate": rate}

    def replay(self, broken: BrokenStep) -> BrokenStep:
        """Compute the loss and gradient of a saved step once more; returns what came of it.

        Raises BadConfig with several ranks: its batch is theirs together.
        """
        if self.ranks.size > 1:
            raise BadConfig("replay", expected="one process", got=self.ranks.size, remedy="Start it without torchrun.")
        self.module.load_state_dict(broken.weights)
        self.step, self.config = broken.step, self.config.model_copy(update={"seed": broken.seed})
        again = self._broken_step(broken.batch, self._backward(broken.batch))
        assert again is not None
        return again

    def result(self) -> Any:
        """The weights to evaluate and to ship, the moving average where there is one; None but on the first rank.

        All ranks call it.
        """
        return self.parallel.result()

    def state_dict(self) -> dict[str, Any]:
        """Everything a resumed run needs; with sharded weights this rank's part of it. All ranks call it."""
        module, optimisers = get_state_dict(self.module, self.optimisers)
        average = self.parallel.average
        return {
            "step": self.step,
            "elapsed_s": self.position.elapsed_s,
            "module": module,
            "optimisers": optimisers,
            "average": average.state_dict() if average is not None else None,
        }

    def load_state_dict(self, state: Mapping[str, Any], *, sharded: bool = False) -> None:
        """Go on from `state`; `sharded`: of this rank's part, else of the whole.

        Raises BadCheckpoint when it belongs to another module or configuration.
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
                got=str(error).splitlines()[0],
                remedy="Resume with the configuration the run was started with.",
            ) from None

    def _backward(self, batch: Batch) -> dict[str, Tensor | float]:
        """The gradient of the mean loss over the batch; returns the means of what is reported."""
        self.module.train()
        torch.manual_seed(mix(self.config.seed + self.ranks.rank, 2 * self.step + 1))  # nn.Dropout hears this one alone
        parts = self.config.accumulation
        numbers: dict[str, Tensor | float] = {}
        for number, part in enumerate(batch.to(self.ranks.device, non_blocking=True).chunk(parts)):
            with self.parallel.part(last=number == parts - 1):
                with self._autocast(), self.throughput.counted(self._rows):
                    loss, metrics = self.parallel.loss(part, self._draws(number))
                (loss / parts).backward()
            for name, value in {"loss": loss.detach(), **metrics}.items():
                numbers[name] = numbers.get(name, 0.0) + value / parts
        return numbers

    def _draws(self, part: int) -> RowGenerator:
        first = (self.ranks.rank * self.config.accumulation + part) * self._rows
        return self.generator.seed_rows(mix(self.config.seed, 2 * self.step), first, self.config.batch_size)

    def _broken_step(self, batch: Batch, numbers: Mapping[str, Tensor | float]) -> BrokenStep | None:
        """The step whose gradient is there, on the first rank. All ranks call it."""
        spoilt = torch.tensor(
            [p.grad is not None and not own(p.grad).isfinite().all() for p in self.module.parameters()]
        )
        named = zip((name for name, _ in self.module.named_parameters()), self.ranks.sum(spoilt.long()).tolist())
        rows, weights, loss = self.ranks.gather(batch), self.parallel.weights(), self.ranks.mean(numbers)["loss"]
        if rows is None or weights is None:
            return None
        return BrokenStep(self.step, self.config.seed, loss, tuple(name for name, bad in named if bad), rows, weights)

    def _loader(self, dataset: Dataset[Any]) -> DataLoader:
        share = self._rows * self.config.accumulation
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

    def _spent(self) -> float:
        """The part of the budget that is spent, by the first rank's clock."""
        return self.ranks.agree(self.position.spent)

    def _autocast(self) -> AbstractContextManager:
        if self.config.precision == "float32":
            return nullcontext()
        return torch.autocast(self.ranks.device.type, torch.bfloat16)

    @torch.no_grad()
    def _evaluate(self, evaluate: Callable[[Any], Mapping[str, float]]) -> None:
        result = self.result()
        if self.ranks.first:
            result.eval()
            with self._autocast():
                numbers = evaluate(result)
            self._report("validation", numbers)

    def _report(self, kind: str, numbers: Mapping[str, float]) -> None:
        if self.ranks.first:
            self.reporter.report(self.position, {f"{kind}/{name}": value for name, value in numbers.items()})
