"""Throughput and model FLOPs utilisation."""

import pytest
import torch
from regression_task import Lines, Regression, config

from hwm_core.data.batches import stack
from hwm_core.train.throughput import TrainingFlops
from hwm_core.train.trainer import Trainer


def test_mfu_is_the_counted_operations_per_second_over_the_peak():
    # Two linear layers, 2x8 and 8x1: 2 operations per weight forward, twice that backward: 6 * 24 = 144 per window.
    trainer = Trainer(Regression(), config(peak_tflops=1e-6, precision="bfloat16"))
    trainer.train_step(stack([Lines()[item] for item in range(4)]))
    trainer.throughput.add(windows=4, tokens=8, seconds=2.0)
    metrics = trainer.throughput.metrics()
    assert metrics["windows_per_s"] == 2.0 and metrics["tokens_per_s"] == 4.0
    assert metrics["mfu"] == pytest.approx(144 * 2.0 / 1e6)


def test_without_a_known_peak_no_mfu_is_reported():
    trainer = Trainer(Regression(), config())
    trainer.throughput.add(windows=4, tokens=8, seconds=2.0)
    assert set(trainer.throughput.metrics()) == {"windows_per_s", "tokens_per_s"}


def test_operations_count_once_without_gradients_and_three_times_with_gradients():
    a = torch.randn(2, 3, requires_grad=True)
    with TrainingFlops() as flops:
        a @ torch.randn(3, 5)  # 2 * 2*3*5 forward, twice that backward
        with torch.no_grad():
            a @ torch.randn(3, 5)
    assert flops.total == 3 * 60 + 60
