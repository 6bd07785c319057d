"""The training loop."""

import time
from collections.abc import Mapping

import pytest
import torch
from regression_task import Lines, Regression, config, weights
from torch import nn

from hwm_core.train.reporter import Progress
from hwm_core.train.trainer import Trainer


def test_a_worker_process_loads_the_same_batches():
    plain, worker = Trainer(Regression(), config()), Trainer(Regression(), config(workers=1))
    plain.fit(Lines())
    worker.fit(Lines())
    assert torch.equal(weights(plain.module), weights(worker.module))


def test_micro_batches_give_the_gradient_of_the_whole_batch():
    # The mean of two half-batch gradients is the gradient of the mean; without dropout and noise only rounding differs.
    whole = Trainer(Regression(dropout=0, noise=0), config())
    parts = Trainer(Regression(dropout=0, noise=0), config(accumulation=2))
    whole.fit(Lines())
    parts.fit(Lines())
    torch.testing.assert_close(weights(parts.module), weights(whole.module), rtol=1e-5, atol=1e-6)


def test_the_norm_of_the_gradient_is_clipped():
    trainer = Trainer(Regression(), config(clip_norm=1e-3))
    seen = []
    trainer.optimisers[0].register_step_pre_hook(
        lambda optimiser, *_: seen.append(
            torch.stack([p.grad.norm() for g in optimiser.param_groups for p in g["params"]]).norm()
        )
    )
    trainer.fit(Lines())
    torch.testing.assert_close(torch.stack(seen), torch.full((7,), 1e-3), rtol=1e-3, atol=0)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_linear_layers_compute_in_the_precision_of_the_recipe_in_training_and_in_evaluation(precision):
    trainer, seen = Trainer(Regression(), config(steps=1, ema_decay=0, precision=precision)), []
    trainer.module[0].register_forward_hook(lambda module, _, out: seen.append((module.training, out.dtype)))

    def evaluate(module):
        module(torch.ones(1, 2))
        return {}

    trainer.fit(Lines(), evaluate=evaluate)
    dtype = getattr(torch, precision)
    assert seen == [(True, dtype), (False, dtype)] and trainer.module[0].weight.dtype == torch.float32


def test_a_budget_in_minutes_ends_the_run_and_drives_the_schedule():
    now = iter(range(0, 10_000, 5))  # every reading of the clock takes 5 s
    trainer = Trainer(Regression(), config(steps=None, max_minutes=1.0, warmup_steps=0), clock=lambda: float(next(now)))
    rates = []
    trainer.optimisers[0].register_step_pre_hook(lambda optimiser, *_: rates.append(optimiser.param_groups[0]["lr"]))
    assert trainer.fit(Lines())
    assert 0 < trainer.step < 12
    assert rates == sorted(rates, reverse=True) and rates[-1] < 0.5 * rates[0]


def test_a_budget_in_epochs_counts_passes_over_the_windows_and_drives_the_schedule():
    trainer = Trainer(Regression(), config(steps=None, epochs=1.5, schedule="linear", warmup_steps=0))
    rates = []
    trainer.optimisers[0].register_step_pre_hook(lambda optimiser, *_: rates.append(optimiser.param_groups[0]["lr"]))
    assert trainer.fit(Lines())
    # 16 windows in batches of 4: six steps are one and a half passes.
    assert rates == pytest.approx([1e-2 * (1 - step / 6) for step in range(6)])


def test_a_budget_of_processor_time_does_not_count_waiting():
    trainer = Trainer(Regression(), config(steps=None, max_minutes=1.0, clock="processor"))
    before = trainer.progress.elapsed_s
    time.sleep(0.3)
    assert trainer.progress.elapsed_s - before < 0.2


def test_metrics_are_reported_and_the_moving_average_is_evaluated():
    class Recorder:
        def __init__(self) -> None:
            self.reports: list[tuple[int, set[str]]] = []

        def report(self, progress: Progress, metrics: Mapping[str, float]) -> None:
            self.reports.append((progress.step, set(metrics)))

    recorder, evaluated = Recorder(), []
    trainer = Trainer(Regression(), config(report_every=3, evaluate_every=4), reporter=recorder)

    def evaluate(module: nn.Module) -> dict[str, float]:
        assert not module.training
        evaluated.append(module is trainer.result() and module is not trainer.module)
        return {"error": 0.0}

    trainer.fit(Lines(), evaluate=evaluate)
    train = {
        f"train/{name}" for name in ("loss", "error", "gradient_norm", "learning_rate", "windows_per_s", "tokens_per_s")
    }
    first, *later = recorder.reports  # the first step is reported at once
    assert first == (1, train)
    assert later == [(3, train), (4, {"validation/error"}), (6, train), (7, {"validation/error"})]
    assert evaluated == [True, True]
