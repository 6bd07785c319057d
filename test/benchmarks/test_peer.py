"""The comparison with the released implementation, at toy size."""

import json

import pytest

from benchmarks.peer import comparison

PEER = {
    "config": """
from types import SimpleNamespace as GenieConfig
""",
    "st_transformer": """
from xformers.ops import LowerTriangularMask, memory_efficient_attention, unbind
import torch

class STBlockBase(torch.nn.Module):
    def __init__(self):
        raise RuntimeError("the block of another variant")

class STBlockOneStream(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.table = torch.ones(4, device=torch.cuda.current_device()).cuda()

    def forward(self, x):
        q = x.unflatten(-1, (2, -1))
        return memory_efficient_attention(q, q, q, attn_bias=LowerTriangularMask(), scale=0.5).flatten(-2)
""",
    "st_mask_git": """
import torch
from types import SimpleNamespace
from genie import st_transformer

class STMaskGIT(torch.nn.Module):
    def __init__(self, config):
        super().__init__()
        self.mask_token_id = config.image_vocab_size
        self.embed = torch.nn.Embedding(self.mask_token_id + 1, 8)
        self.blocks = torch.nn.ModuleList(st_transformer.STBlockBase() for _ in range(config.num_layers))

    def compute_logits_maskgit(self, x_THW, actions=None):
        x = self.embed(x_THW.flatten(1)[:, :64])
        for block in self.blocks:
            x = block(x)
        return x

    def forward(self, input_ids, labels, actions=None):
        return SimpleNamespace(loss=self.compute_logits_maskgit(input_ids).square().mean())
""",
}


@pytest.fixture
def peer(tmp_path, monkeypatch):
    """A checkout with the released implementation's names and none of its code."""
    folder = tmp_path / "peer" / "Masked-HWM" / "genie"
    folder.mkdir(parents=True)
    for name, source in PEER.items():
        (folder / f"{name}.py").write_text(source)
    yield tmp_path / "peer"
    for module in [name for name in comparison.sys.modules if name.partition(".")[0] == "genie"]:
        monkeypatch.delitem(comparison.sys.modules, module)


def test_one_run_times_both_implementations(tmp_path, peer):
    command = ["--peer", str(peer), "--device", "cpu", "--repeats", "1", "--results", str(tmp_path)]
    assert comparison.main([*command, "depth=1", "dim=16", "num_heads=2", "levels=[5, 5]"]) == 0
    result = json.loads((tmp_path / "cpu_depth1.json").read_text())
    assert set(result["seconds"]) == {"forward", "training_step"}
    for row in result["seconds"].values():
        assert row["released_over_hwm"] == pytest.approx(row["released"] / row["hwm"], rel=0.01)


def test_a_folder_without_the_released_implementation_is_rejected(tmp_path, capsys):
    with pytest.raises(SystemExit):
        comparison.main(["--peer", str(tmp_path)])
    assert "expected a checkout that holds Masked-HWM/genie" in capsys.readouterr().err
