"""Precision of the arithmetic: bfloat16 only where the device has instructions for it."""

import pytest
import torch

from hwm_core import precision
from hwm_core.precision import autocast, multiplies_bfloat16, read_precision

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("capabilities", "fast"),
    [
        ({"avx2": True, "avx512_bf16": False, "amx_bf16": False}, False),
        ({"avx2": True, "avx512_f": True, "avx512_bf16": False}, False),
        ({"avx2": True, "avx512_bf16": True}, True),
        ({"amx_bf16": True, "amx_tile": True}, True),
        ({"neon": True, "bf16": True}, True),
        ({"neon": True, "bf16": False, "sve_max_length": 0}, False),
    ],
    ids=["AVX2", "AVX-512", "AVX512-BF16", "AMX", "Arm with bf16", "Arm without"],
)
def test_a_processor_multiplies_bfloat16_if_one_of_its_instruction_sets_does(monkeypatch, capabilities, fast):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)
    assert multiplies_bfloat16(CPU) is fast
    assert read_precision("auto", CPU) is (torch.bfloat16 if fast else torch.float32)


@pytest.mark.parametrize("native", [True, False])
def test_a_gpu_that_emulates_bfloat16_computes_in_float32(monkeypatch, native):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: native or including_emulation)
    assert multiplies_bfloat16(torch.device("cuda")) is native


def test_a_device_of_which_nothing_is_known_computes_in_float32():
    assert read_precision("auto", torch.device("meta")) is torch.float32


def test_a_named_precision_is_taken_on_any_device(monkeypatch):
    monkeypatch.setattr(precision, "multiplies_bfloat16", lambda _: False)
    assert read_precision("bfloat16", CPU) is torch.bfloat16
    assert read_precision("float32", CPU) is torch.float32


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_matrices_are_multiplied_in_the_type_of_the_context(dtype):
    with autocast(CPU, dtype):
        assert torch.nn.Linear(2, 2)(torch.ones(1, 2)).dtype is dtype
