"""Wan models on two processes: replicated and sharded weights train like one process and resume bit for bit."""

import pytest
import torch
import torch.multiprocessing as mp
from wan_training import STEPS, of_two, run

from hwm_core.train.ranks import Ranks

pytestmark = pytest.mark.slow  # two processes that import the packages of the extra


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ranks")
    mp.spawn(of_two, (folder,), nprocs=2)
    return torch.load(folder / "found_0.pt")


@pytest.mark.parametrize("parallel", ["ddp", "fsdp"])
def test_two_processes_train_like_one_and_resume_bit_for_bit(found, parallel: str) -> None:
    alone, seen = run("ddp", Ranks()), found[parallel]
    assert len(alone["losses"]) == STEPS
    assert seen["whole"]["losses"] == pytest.approx(alone["losses"], rel=2e-2)  # of a base in bfloat16
    assert seen["resumed"]["losses"] == seen["whole"]["losses"][1:]
    assert set(seen["whole"]["weights"]) == set(alone["weights"]), "only what is trained"
    for name, value in seen["whole"]["weights"].items():
        assert torch.equal(seen["resumed"]["weights"][name], value), name
