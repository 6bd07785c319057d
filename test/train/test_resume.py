"""Resuming a run: bit for bit, and only from intact states."""

import pytest
import torch
from regression_task import Lines, Regression, config, stop_after, weights

from hwm_core.errors import BadCheckpoint
from hwm_core.train.state import read_state, write_state
from hwm_core.train.trainer import Trainer


@pytest.mark.parametrize("stopped_at", [1, 3, 5])  # 16 items in batches of 4: in the first epoch and in the second
@pytest.mark.parametrize(
    "changes", [{"precision": "float32"}, {"precision": "bfloat16"}, {"optimiser": "muon"}], ids=str
)
def test_a_resumed_run_equals_an_uninterrupted_run_bit_for_bit(tmp_path, stopped_at, changes):
    whole = Trainer(Regression(), config(**changes))
    assert whole.fit(Lines())

    first = Trainer(Regression(), config(**changes))
    assert not first.fit(Lines(), stop=stop_after(first, stopped_at))
    write_state(tmp_path / "state.pt", first.state_dict())
    torch.rand(5)  # other code may draw random numbers in between
    second = Trainer(Regression(), config(**changes))
    second.load_state_dict(read_state(tmp_path / "state.pt"))
    assert second.step == stopped_at and second.fit(Lines())

    assert torch.equal(weights(second.module), weights(whole.module))
    assert torch.equal(weights(second.result()), weights(whole.result()))


def test_the_state_is_saved_at_the_end_of_the_budget_and_when_stopped():
    saved = []
    trainer = Trainer(Regression(), config())
    trainer.fit(Lines(), save=lambda: saved.append(trainer.step), stop=stop_after(trainer, 2))
    trainer.fit(Lines(), save=lambda: saved.append(trainer.step))
    assert saved == [2, 7]


def test_a_truncated_state_is_rejected(tmp_path):
    path = tmp_path / "state.pt"
    write_state(path, Trainer(Regression(), config()).state_dict())
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(BadCheckpoint, match="truncated"):
        read_state(path)


def test_a_missing_state_is_rejected(tmp_path):
    with pytest.raises(BadCheckpoint, match="no such file"):
        read_state(tmp_path / "state.pt")


def test_a_state_of_another_configuration_is_rejected():
    state = Trainer(Regression(), config(ema_decay=0)).state_dict()
    with pytest.raises(BadCheckpoint, match="Resume with the configuration"):
        Trainer(Regression(), config()).load_state_dict(state)


def test_a_failed_write_keeps_the_old_state(tmp_path):
    path = tmp_path / "state.pt"
    write_state(path, {"step": 1})
    with pytest.raises(Exception, match="pickle"):
        write_state(path, {"step": lambda: None})
    assert read_state(path) == {"step": 1}
