"""Where to compute, as users name it: taken, or rejected with a sentence, by every command that asks."""

import pytest
import torch

from hwm_core.device import read_device
from hwm_core.errors import BadConfig
from hwm_core.train.ranks import joined_ranks
from hwm_core.world_model.model import WorldModel
from training import (
    evaluate,
    onex,
    rank_actions,
    reach,
    reconstruct,
    replay,
    tokenise_data,
    train,
    train_tokenizer,
    tune_decoder,
)
from training.devices import own_device

STORE = ("--data", "nowhere", "--out", "nowhere")
COMMANDS = {
    "tokenise": (tokenise_data, "nowhere", "--tokenizer", "nowhere", "--out", "nowhere"),
    "evaluate": (evaluate,),
    "reconstruct": (reconstruct, "--tokenizer", "nowhere", "--store", "nowhere", "--out", "nowhere"),
    "replay": (replay, "nowhere"),
    "reach": (reach,),
    "rank_actions": (rank_actions,),
    "compress": (onex, "compress", "--checkpoint", "nowhere", *STORE),
    "sample": (onex, "sample", "--checkpoint", "nowhere", *STORE),
    "train": (train, *STORE),
    "train_tokenizer": (train_tokenizer, *STORE),
    "tune_decoder": (tune_decoder, "--checkpoint", "nowhere", *STORE),
}


@pytest.fixture
def gpus(monkeypatch):
    """A machine of so many GPUs, as far as anyone asks."""
    return lambda count: monkeypatch.setattr(torch.cuda, "device_count", lambda: count)


@pytest.mark.parametrize("name", ["gpu0", "", "meta", "cpu:1", "cuda", "cuda:0", "cuda:-1", "hpu"])
def test_what_is_no_device_or_none_of_this_machine_is_rejected_with_those_there_are(gpus, name):
    gpus(0)
    with pytest.raises(
        BadConfig, match=r"Device: expected cpu \(what PyTorch finds here\), got `.*a PyTorch with CUDA"
    ):
        read_device(name)
    assert read_device("cpu") == torch.device("cpu")


def test_a_gpu_is_one_of_those_there_are_and_each_process_has_its_own(gpus):
    gpus(2)
    assert read_device("cuda") == torch.device("cuda") and read_device("cuda:1") == torch.device("cuda", 1)
    assert [read_device("cuda", rank) for rank in (0, 1)] == [torch.device("cuda", rank) for rank in (0, 1)]
    assert read_device("cuda:0", 1) == torch.device("cuda", 0) and read_device("cpu", 1) == torch.device("cpu")
    with pytest.raises(BadConfig, match=r"expected cpu, cuda:0, cuda:1 .*got `cuda:2`"):
        read_device("cuda:2")
    with pytest.raises(BadConfig, match=r"nproc-per-node`: expected 2 or less.*a process for GPU 2"):
        read_device("cuda", 2)


def test_the_local_rank_is_what_torchrun_says(gpus, monkeypatch):
    gpus(2)
    assert own_device("cuda") == torch.device("cuda")
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert own_device("cuda") == torch.device("cuda", 1)


@pytest.mark.parametrize("name", ["gpu0", "cuda"])
@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_rejects_what_is_no_device_before_anything_else(
    gpus, monkeypatch, capsys, tmp_path, command, name
):
    gpus(0)
    monkeypatch.chdir(tmp_path)
    module, *words = COMMANDS[command]
    monkeypatch.setattr("sys.argv", [command, *words, "--device", name])
    try:
        status = module.main()
    except SystemExit as end:
        status = end.code
    assert status == 2 and f"Device: expected cpu (what PyTorch finds here), got `{name}`" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_training_together_rejects_it_too():
    with pytest.raises(BadConfig, match="Device"), joined_ranks("gpu0"):
        raise AssertionError("joined")


@pytest.mark.parametrize(("command", "loads"), [("tokenise", "load_tokenizer"), ("evaluate", "load")])
def test_processes_that_share_out_work_have_a_gpu_each(gpus, monkeypatch, command, loads):
    gpus(2)
    used = []

    def load(path, device):
        used.append(device)
        raise KeyboardInterrupt

    module, *words = COMMANDS[command]
    monkeypatch.setenv("LOCAL_RANK", "1")
    monkeypatch.setattr(tokenise_data, "open_store", lambda path: None)
    monkeypatch.setattr(
        tokenise_data if command == "tokenise" else WorldModel, loads, lambda path, device, **_: load(path, device)
    )
    monkeypatch.setattr("sys.argv", [command, *words, "--device", "cuda"])
    with pytest.raises(KeyboardInterrupt):
        module.main()
    assert used == [torch.device("cuda", 1)]
