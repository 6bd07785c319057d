"""Golden loss curves of very small models: only an intended change may move a curve.

    pytest test/train/test_golden.py --regenerate-golden   writes test/train/golden/*.json again; review the difference

A curve has 50 steps in float32 on one thread, on seeded data. One machine reproduces it bit for bit. Other processors
sum in another order: each sum then has a relative error of about 1e-7, and training amplifies it. So the tolerance
grows from 1e-4 of the loss at the first step to 1e-2 at the last. A slow test perturbs the initial weights by 1e-6
(relative), ten times the effect of another order: the curves stay within a tenth of the tolerance.

The codes of the world models are computed from the actions, not encoded, because rounding in a tokenizer can flip a
code. The optimiser is AdamW everywhere, because Muon computes in bfloat16, which differs between kinds of processors.
"""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from hwm_core.data.batches import FrameBatch, TokenBatch
from hwm_core.tokenizers import build_tokenizer
from hwm_core.train.config import TrainingConfig
from hwm_core.train.recipe import read_recipe
from hwm_core.train.trainer import Trainer
from hwm_core.world_model.registry import build_model

GOLDEN = Path(__file__).parent / "golden"
STEPS = 50
SHAPE = {"depth": 2, "num_heads": 2, "grid": [4, 4], "patch": 2, "num_past_latents": 2, "num_future_latents": 2}
OF_VIDEO = {"temporal_factor": 4, "spatial_factor": 4, "width": 16, "encoder_blocks": 1, "decoder_blocks": 1}
MODELS = {
    "masked": {**SHAPE, "dim": 32, "levels": [4, 3], "vocabulary": "factorised", "init": "fan_in", "dropout": 0.1},
    "flow": {**SHAPE, "dim": 24, "latent_channels": 3, "variant": "modality_shared", "unshared_depth": 1},
    "st_transformer": {**SHAPE, "dim": 32, "levels": [4, 3], "vocabulary": "factorised", "init": "fan_in"},
}
SMALL = {key: value for key, value in SHAPE.items() if key != "patch"}
OF_PRESETS = {  # the presets at a smaller size
    "tiny": {**SMALL, "dim": 32, "levels": [4, 3]},
    "flow_tiny": {**SMALL, "dim": 24, "latent_channels": 3},
    "g1": {**SMALL, "dim": 24, "latent_channels": 3, "conv_width": 16, "conv_blocks": 1},
    "plan": {**SMALL, "dim": 24, "latent_channels": 3, "conv_width": 16, "conv_blocks": 1, "action_points": 4},
}
EVERY = [*MODELS, *OF_PRESETS]
TOKENIZERS = {"causal": {"levels": [4, 4, 3]}, "continuous": {"latent_channels": 3}}


class Windows(torch.utils.data.Dataset):
    """Twelve windows: bright squares that move with the actions, as frames, codes and latents."""

    def __init__(self, family: str | None) -> None:
        """Codes for a world model of `family`, or frames for a tokenizer (None)."""
        rng = np.random.default_rng(0)
        self.items: list[FrameBatch | TokenBatch] = []
        for _ in range(12):
            actions = np.cumsum(rng.normal(size=(25, 2)), axis=0).astype(np.float32) / 3
            frames = rng.integers(0, 40, (9, 3, 16, 16))
            for t, (x, y) in enumerate(np.clip(6 + 3 * actions[:9], 0, 12).astype(int)):
                frames[t, :, y : y + 4, x : x + 4] += 180
            grid = (actions[::8, :1, None] + np.linspace(-1, 1, 16).reshape(1, 4, 4)).astype(np.float32)
            codes = ((grid * 3).round().astype(int)) % 12
            latents = np.stack([np.sin(grid), np.cos(grid), grid / 2], axis=-1).astype(np.float32)
            tokens = latents if family == "flow" else codes
            window_actions = torch.from_numpy(actions)
            if family is None:
                self.items.append(FrameBatch(torch.from_numpy(frames.astype(np.uint8)), window_actions))
            else:
                self.items.append(TokenBatch(torch.from_numpy(tokens), window_actions))

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, item: int) -> FrameBatch | TokenBatch:
        return self.items[item]


class GoldenTask:
    """A training task: a module with its loss on the windows."""

    def __init__(self, module: torch.nn.Module, of_model: bool) -> None:
        self.module, self._of_model = module, of_model

    def loss(self, batch, generator):
        if self._of_model:
            return self.module.loss(batch.tokens, batch.actions, generator)
        return self.module.loss(batch.frames.float() / 255, generator)

    def tokens(self, batch) -> int:
        return len(batch)


def curve(name: str, disturbed: float = 0.0) -> list[float]:
    """The loss of each step; `disturbed`: relative perturbation of the initial weights."""
    torch.manual_seed(0)
    family = read_recipe(name).family if name in OF_PRESETS else name if name in MODELS else None
    if family is not None:
        config = {**read_recipe(name).model, **OF_PRESETS[name]} if name in OF_PRESETS else MODELS[name]
        module = build_model(family, {"action_dim": 2, "temporal_factor": 8, **config})
    else:
        module = build_tokenizer({"kind": name, **OF_VIDEO, **TOKENIZERS[name]})
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.mul_(1 + disturbed * torch.randn(parameter.shape))
    settings = {"steps": STEPS, "batch_size": 4, "learning_rate": 2e-3, "warmup_steps": 5, "schedule": "cosine"}
    trainer = Trainer(
        GoldenTask(module, family is not None), TrainingConfig.parse({**settings, "precision": "float32"})
    )
    loader = iter(trainer._loader(Windows(family)))
    return [float(trainer.train_step(next(loader))["loss"]) for _ in range(STEPS)]


def tolerance(golden: list[float]) -> np.ndarray:
    return np.geomspace(1e-4, 1e-2, STEPS) * np.abs(golden)


@pytest.mark.parametrize("name", [*EVERY, *TOKENIZERS])
def test_the_loss_curve_equals_the_golden_curve(name, request):
    path, found = GOLDEN / f"{name}.json", curve(name)
    if request.config.getoption("--regenerate-golden"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps({"loss": [float(f"{loss:.8g}") for loss in found]}, indent=1) + "\n")
    golden = json.loads(path.read_text())["loss"]
    assert golden[-1] < 0.9 * golden[0]  # it learns
    off = np.abs(np.array(found) - golden) / tolerance(golden)
    assert off.max() <= 1, f"step {off.argmax()}: {found[off.argmax()]} was {golden[off.argmax()]}"


@pytest.mark.slow
@pytest.mark.parametrize("name", [*EVERY, *TOKENIZERS])
def test_the_tolerance_is_ten_times_the_effect_of_rounding_but_detects_changed_weights(name):
    golden = np.array(curve(name))
    assert (np.abs(np.array(curve(name, disturbed=1e-6)) - golden) < tolerance(golden) / 10).all()
    assert (np.abs(np.array(curve(name, disturbed=1e-2)) - golden) > tolerance(golden)).any()
