"""Device names: every command accepts or rejects them with the same sentence."""

import pytest
import torch
from command import hwm

from hwm_core.device import read_device
from hwm_core.errors import BadConfig
from hwm_core.train.ranks import join_ranks
from hwm_core.world_model.model import WorldModel
from training import tokenise_data
from training.devices import own_device

STORE = ("--data", "nowhere", "--out", "nowhere")
COMMANDS = {
    "tokenize": ("tokenize", "nowhere", "--tokenizer", "nowhere", "--out", "nowhere"),
    "evaluate": ("evaluate",),
    "reconstruct": ("reconstruct", "--tokenizer", "nowhere", "--store", "nowhere", "--out", "nowhere"),
    "replay": ("replay", "nowhere"),
    "bench closed-loop": ("bench", "closed-loop", "--out", "nowhere"),
    "bench ranking": ("bench", "ranking", "--out", "nowhere"),
    "compress": ("1x", "compress", "--checkpoint", "nowhere", *STORE),
    "sample": ("1x", "sample", "--checkpoint", "nowhere", *STORE),
    "train": ("train", *STORE),
    "train-tokenizer": ("train-tokenizer", *STORE),
    "tune-decoder": ("tune-decoder", "--checkpoint", "nowhere", *STORE),
}


@pytest.fixture
def gpus(monkeypatch):
    """Sets the number of GPUs that torch reports."""
    return lambda count: monkeypatch.setattr(torch.cuda, "device_count", lambda: count)


@pytest.mark.parametrize("name", ["gpu0", "", "meta", "cpu:1", "cuda", "cuda:0", "cuda:-1", "hpu"])
def test_an_unknown_or_absent_device_is_rejected_with_the_devices_of_the_machine(gpus, name):
    gpus(0)
    with pytest.raises(BadConfig, match=r"Device: expected cpu \(found by PyTorch\), got `.*a PyTorch with CUDA"):
        read_device(name)
    assert read_device("cpu") == torch.device("cpu")


def test_each_local_rank_gets_its_own_gpu_and_an_absent_gpu_is_rejected(gpus):
    gpus(2)
    assert read_device("cuda") == torch.device("cuda") and read_device("cuda:1") == torch.device("cuda", 1)
    assert [read_device("cuda", rank) for rank in (0, 1)] == [torch.device("cuda", rank) for rank in (0, 1)]
    assert read_device("cuda:0", 1) == torch.device("cuda", 0) and read_device("cpu", 1) == torch.device("cpu")
    with pytest.raises(BadConfig, match=r"expected cpu, cuda:0, cuda:1 .*got `cuda:2`"):
        read_device("cuda:2")
    with pytest.raises(BadConfig, match=r"nproc-per-node`: expected at most 2.*a process for GPU 2"):
        read_device("cuda", 2)


def test_the_local_rank_comes_from_torchrun(gpus, monkeypatch):
    gpus(2)
    assert own_device("cuda") == torch.device("cuda")
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert own_device("cuda") == torch.device("cuda", 1)


@pytest.mark.parametrize("name", ["gpu0", "cuda"])
@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_rejects_an_absent_device_before_any_other_work(
    gpus, monkeypatch, capsys, tmp_path, command, name
):
    gpus(0)
    monkeypatch.chdir(tmp_path)
    assert hwm(*COMMANDS[command], "--device", name) == 2
    assert f"Device: expected cpu (found by PyTorch), got `{name}`" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_distributed_training_rejects_an_unknown_device():
    with pytest.raises(BadConfig, match="Device"), join_ranks("gpu0"):
        raise AssertionError("joined")


@pytest.mark.parametrize(("command", "loads"), [("tokenize", "load_tokenizer"), ("evaluate", "load")])
def test_processes_that_share_the_work_use_one_gpu_each(gpus, monkeypatch, command, loads):
    gpus(2)
    used = []

    def load(path, device):
        used.append(device)
        raise KeyboardInterrupt

    monkeypatch.setenv("LOCAL_RANK", "1")
    monkeypatch.setattr(tokenise_data, "open_store", lambda path: None)
    monkeypatch.setattr(
        tokenise_data if command == "tokenize" else WorldModel, loads, lambda path, device, **_: load(path, device)
    )
    assert hwm(*COMMANDS[command], "--device", "cuda") == 130
    assert used == [torch.device("cuda", 1)]
