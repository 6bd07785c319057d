"""The arithmetic of a Wan model's memory, against what the tensors of a training step take."""

import weakref

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from hwm_core.models.wan import WanWorldModel
from hwm_core.models.wan_config import WanConfig
from hwm_core.models.wan_memory import training_bytes, weight_bytes
from hwm_core.train.blocks import prepare_blocks
from hwm_core.train.config import TrainingConfig


class Storages(TorchDispatchMode):
    """Counts the bytes of new storages alive at once, also of those that only the autograd graph holds."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.now, self.peak = 0, 0
        known = [*module.parameters(), *module.buffers()]
        self._before = {tensor.untyped_storage()._cdata for tensor in known}
        self._alive: dict[int, int] = {}

    def __torch_dispatch__(self, operator, types, args=(), kwargs=None):
        result = operator(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            if isinstance(tensor, torch.Tensor):
                storage = tensor.untyped_storage()
                key = storage._cdata
                if key not in self._alive and key not in self._before:
                    self._alive[key] = storage.nbytes()
                    self.now += storage.nbytes()
                    self.peak = max(self.peak, self.now)
                    weakref.finalize(storage, self._free, key)
        return result

    def _free(self, key: int) -> None:
        self.now -= self._alive.pop(key, 0)


def fake(module: nn.Module) -> None:
    """Replace parameters and buffers by tensors that have a size but no memory."""
    for part in module.modules():
        for name, parameter in list(part._parameters.items()):
            if parameter is not None:
                empty = torch.empty(parameter.shape, dtype=parameter.dtype)
                part._parameters[name] = nn.Parameter(empty, requires_grad=parameter.requires_grad)
        for name, buffer in list(part._buffers.items()):
            if buffer is not None:
                part._buffers[name] = torch.zeros(buffer.shape, dtype=buffer.dtype)


def step_bytes(config: WanConfig, windows: int, recomputed: bool, monkeypatch: pytest.MonkeyPatch) -> int:
    """Bytes of a forward and backward pass, beside weights and the moments of the optimiser."""
    with torch.device("meta"):
        model = WanWorldModel(config)
    for name, made in (("normal", torch.randn), ("uniform", torch.rand)):
        monkeypatch.setattr(f"hwm_core.models.wan.{name}", lambda shape, generator, made=made: made(shape))
    with FakeTensorMode(allow_non_fake_inputs=True):
        fake(model)
        prepare_blocks(model, TrainingConfig(steps=1, activation_checkpointing=recomputed))
        codes = torch.randn(windows, config.num_latents, *config.grid, config.latent_channels)
        actions = torch.randn(windows, config.past_frames + config.future_frames, config.action_dim)
        with Storages(model) as storages:
            with torch.autocast("cpu", torch.bfloat16):
                loss, _ = model.loss(codes, actions, torch.Generator())
            loss.backward()
    return storages.peak


@pytest.mark.parametrize("recomputed", [pytest.param(False, marks=pytest.mark.slow), True])
def test_the_arithmetic_of_a_training_step_is_within_a_tenth_of_what_its_tensors_take(recomputed, monkeypatch) -> None:
    # The width and the window of the 5 B model with 2 of its 30 blocks.
    config = WanConfig(depth=2)
    counted = step_bytes(config, 1, recomputed, monkeypatch)
    stated = training_bytes(config, 1, recomputed=recomputed) - weight_bytes(config)
    trained = sum(2 * 4 * size for size in (2 * 8 * 64 * 3072, 6_043_904))  # two moments, which a step has later
    assert stated - trained == pytest.approx(counted, rel=0.1)


def test_a_micro_batch_of_8_windows_of_the_5_b_model_fits_24_gb_with_recomputation() -> None:
    config = WanConfig()
    in_gb = {
        (windows, recomputed): training_bytes(config, windows, recomputed=recomputed) / 1e9
        for windows, recomputed in ((1, True), (8, True), (16, True), (1, False), (4, False))
    }
    expected = {(1, True): 11.6, (8, True): 16.8, (16, True): 22.7, (1, False): 21.9, (4, False): 55.4}
    assert in_gb == pytest.approx(expected, abs=0.1)
