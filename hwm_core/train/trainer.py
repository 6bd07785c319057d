"""The training loop, for tokenizers and world models alike."""

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from hwm_core.errors import BadCheckpoint, BadInput
from hwm_core.train.config import TrainingConfig
from hwm_core.train.optimiser import build_average, build_optimisers
from hwm_core.train.order import BatchOrder, mix
from hwm_core.train.reporter import Position, Reporter, Silent
from hwm_core.train.schedule import learning_rate_factor

Batch = Mapping[str, Tensor]  # every tensor [B, ...]
CLOCKS = {"wall": time.monotonic, "processor": time.process_time}


class Trainee(Protocol):
    """What is trained: a module, and its loss on a batch."""

    module: nn.Module

    def loss(self, batch: Batch, generator: torch.Generator) -> tuple[Tensor, Mapping[str, Tensor]]:
        """The mean loss over the batch, and numbers to report. Every random draw comes from `generator`."""
        ...


class Trainer:
    """Optimises a trainee; can stop after any step and go on later, bit for bit.

    Randomness is reseeded at every step from (seed, step), so the state to keep is the step itself: no generator, no
    position in the data. With a budget in minutes the learning rate follows the clock, and two runs differ.
    """

    def __init__(
        self,
        trainee: Trainee,
        config: TrainingConfig,
        *,
        device: torch.device | str = "cpu",
        reporter: Reporter | None = None,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self.trainee, self.config, self.device = trainee, config, torch.device(device)
        self.reporter, self.clock = reporter or Silent(), clock or CLOCKS[config.clock]
        self.module = trainee.module.to(self.device)
        self.optimisers = build_optimisers(self.module, config)
        self.average = build_average(self.module, config.ema_decay) if config.ema_decay else None
        self.generator = torch.Generator(self.device)
        self.step, self._elapsed_s, self._since = 0, 0.0, self.clock()

    @property
    def result(self) -> Any:
        """The weights to evaluate and to ship: the moving average where there is one."""
        return self.average.module if self.average is not None else self.module

    @property
    def position(self) -> Position:
        elapsed_s = self._elapsed_s + self.clock() - self._since
        spent = [0.0]
        if self.config.steps is not None:
            spent.append(self.step / self.config.steps)
        if self.config.max_minutes is not None:
            spent.append(elapsed_s / (60.0 * self.config.max_minutes))
        return Position(self.step, elapsed_s, min(1.0, max(spent)))

    def fit(
        self,
        dataset: Dataset,
        *,
        evaluate: Callable[[Any], Mapping[str, float]] | None = None,
        save: Callable[[], None] | None = None,
        stop: Callable[[], bool] = lambda: False,
    ) -> bool:
        """Train until the budget is spent or `stop()`, asked after each step.

        Args:
            dataset: items are mappings of tensors, collated to batches.
            evaluate: numbers of `result`, every `evaluate_every` steps and at the end.
            save: called every `save_every_minutes` and at the end, however it comes.

        Returns:
            Whether the budget is spent.
        """
        batches = iter(self._loader(dataset))
        saved_at = self.clock()
        while not (finished := self.position.spent >= 1.0) and not stop():
            numbers = self.train_step(next(batches))
            if self.step % self.config.report_every == 0:
                self.reporter.report(self.position, {f"train/{name}": float(value) for name, value in numbers.items()})
            if evaluate and self.step % self.config.evaluate_every == 0:
                self._evaluate(evaluate)
            if save and self.clock() - saved_at > 60.0 * self.config.save_every_minutes:
                save()
                saved_at = self.clock()
        if finished and evaluate and self.step % self.config.evaluate_every:
            self._evaluate(evaluate)
        if save:
            save()
        return finished

    def train_step(self, batch: Batch) -> dict[str, Tensor | float]:
        """One optimiser step on a batch [batch_size, ...]; returns the numbers to report."""
        self._reseed()
        self.module.train()
        rate = self.config.learning_rate * learning_rate_factor(
            self.config.schedule, self.step, self.config.warmup_steps, self.position.spent
        )
        for group in (group for optimiser in self.optimisers for group in optimiser.param_groups):
            group["lr"] = rate

        parts = self.config.accumulation
        numbers: dict[str, Tensor | float] = {}
        for part in zip(*(tensor.to(self.device, non_blocking=True).chunk(parts) for tensor in batch.values())):
            with self._autocast():
                loss, metrics = self.trainee.loss(dict(zip(batch, part)), self.generator)
            (loss / parts).backward()
            for name, value in {"loss": loss.detach(), **metrics}.items():
                numbers[name] = numbers.get(name, 0.0) + value / parts
        norm = nn.utils.clip_grad_norm_(self.module.parameters(), self.config.clip_norm)
        if not torch.isfinite(norm):  # before it spoils the weights and the next state saved
            raise BadInput(
                f"gradient of step {self.step}",
                expected="finite numbers",
                got=f"norm {float(norm)}, loss {float(numbers['loss'])}",
                remedy="Lower the learning rate, or look for broken data; the last state saved is sound.",
            )
        for optimiser in self.optimisers:
            optimiser.step()
        self.module.zero_grad(set_to_none=True)
        if self.average is not None:
            self.average.update_parameters(self.module)
        self.step += 1
        return {**numbers, "gradient_norm": norm, "learning_rate": rate}

    def state_dict(self) -> dict[str, Any]:
        """Everything a resumed run needs."""
        return {
            "step": self.step,
            "elapsed_s": self.position.elapsed_s,
            "module": self.module.state_dict(),
            "optimisers": [optimiser.state_dict() for optimiser in self.optimisers],
            "average": self.average.state_dict() if self.average is not None else None,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from `state`. Raises BadCheckpoint when it belongs to another module or configuration."""
        try:
            self.module.load_state_dict(state["module"])
            for optimiser, saved in zip(self.optimisers, state["optimisers"], strict=True):
                optimiser.load_state_dict(saved)
            if self.average is not None:
                self.average.load_state_dict(state["average"])
            self.step, self._elapsed_s, self._since = state["step"], state["elapsed_s"], self.clock()
        except (KeyError, RuntimeError, ValueError, TypeError, AttributeError) as error:
            raise BadCheckpoint(
                "training state",
                expected="the state of a run with this configuration",
                got=str(error).splitlines()[0],
                remedy="Resume with the configuration the run was started with.",
            ) from None

    def _loader(self, dataset: Dataset) -> DataLoader:
        order = BatchOrder(len(dataset), self.config.batch_size, self.config.seed, first=self.step)  # type: ignore[arg-type]
        return DataLoader(
            dataset, batch_sampler=order, num_workers=self.config.workers, pin_memory=self.device.type == "cuda"
        )

    def _reseed(self) -> None:
        self.generator.manual_seed(mix(self.config.seed, 2 * self.step))
        torch.manual_seed(mix(self.config.seed, 2 * self.step + 1))  # nn.Dropout hears the global generator alone

    def _autocast(self) -> AbstractContextManager:
        if self.config.precision == "float32":
            return nullcontext()
        return torch.autocast(self.device.type, torch.bfloat16)

    @torch.no_grad()
    def _evaluate(self, evaluate: Callable[[Any], Mapping[str, float]]) -> None:
        self.result.eval()
        with self._autocast():
            numbers = evaluate(self.result)
        self.reporter.report(self.position, {f"validation/{name}": value for name, value in numbers.items()})
