"""A gradient that is not finite ends a run, and its step can be computed again."""

import pytest
import torch
from regression_task import Lines, Regression, config, weights

from hwm_core.errors import BadCheckpoint, BadInput
from hwm_core.train.broken_step import BadGradient, read_broken_step, write_broken_step
from hwm_core.train.state import write_state
from hwm_core.train.trainer import Trainer


def test_a_loss_that_is_not_finite_ends_the_run_without_changing_the_weights():
    task = Regression(noise=float("inf"))
    trainer = Trainer(task, config())
    before = weights(task.module).clone()
    with pytest.raises(BadInput, match="gradient of step 0: expected finite numbers"):
        trainer.fit(Lines())
    assert torch.equal(weights(task.module), before)


def test_a_finite_gradient_with_an_infinite_norm_ends_the_run_without_changing_the_weights():
    class Steep(Regression):
        """Gradients of about 1e25, whose squares exceed float32 (3.4e38)."""

        def loss(self, batch, generator):
            loss, metrics = super().loss(batch, generator)
            return 1e25 * loss, metrics

    trainer = Trainer(Steep(), config())
    before = weights(trainer.module).clone()
    with pytest.raises(BadGradient, match="norm inf") as error:
        trainer.fit(Lines())
    assert str(error.value.broken).endswith("every gradient is finite, but their norm is not")
    assert torch.tensor(error.value.broken.loss).isfinite()
    assert torch.equal(weights(trainer.module), before)


def test_a_saved_broken_step_can_be_computed_again(tmp_path):
    trainer = Trainer(Regression(noise=float("inf")), config(steps=9, seed=5))
    with pytest.raises(BadGradient) as error:
        trainer.fit(Lines())
    write_broken_step(tmp_path / "broken_step_0.pt", error.value.broken)
    broken = read_broken_step(tmp_path / "broken_step_0.pt")
    assert (broken.step, broken.seed) == (0, 5) and broken.batch.x.shape == (4, 2)
    assert torch.equal(broken.weights["0.weight"], trainer.module[0].weight)
    again = Trainer(Regression(noise=float("inf")), config()).replay(broken)
    assert again.parameters == broken.parameters and not torch.tensor(again.loss).isfinite()
    corrected = Trainer(Regression(), config()).replay(broken)  # the same step with a finite loss
    assert not corrected.parameters and torch.tensor(corrected.loss).isfinite()


def test_another_file_than_a_broken_step_is_rejected(tmp_path):
    write_state(tmp_path / "state.pt", {"step": 1})
    with pytest.raises(BadCheckpoint, match="Give a file broken_step"):
        read_broken_step(tmp_path / "state.pt")
