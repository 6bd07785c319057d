"""How fast each of the eight tiny models is, measured side by side: training steps, and futures.

What a run may learn from is then counted in steps, so that it is the same run on another machine, and on a busy one.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import default_collate
from tqdm import tqdm

from benchmarks.predictions import SINGLE, imagined
from benchmarks.stopwatch import seconds
from benchmarks.tiny.equal_size import PRESETS, recipe_of
from benchmarks.tiny.runs import FAMILIES, VARIANTS
from hwm_core.errors import BadConfig
from hwm_core.sampling.config import Sampling
from hwm_core.train.order import BatchOrder
from hwm_core.train.tasks import WorldModelTask
from hwm_core.train.trainer import Trainer
from hwm_core.train.training_data import open_training_data
from hwm_core.world_model.checkpoint import Checkpoint, load_tokenizer
from hwm_core.world_model.model import WorldModel
from hwm_core.world_model.registry import build_model

IN_TURN = 3  # steps
FUTURES = 16  # drawn at a time


@dataclass(frozen=True)
class Pace:
    """What was measured."""

    figures: Mapping[str, Any]  # the whole file

    @property
    def minutes(self) -> float:
        return float(self.figures["minutes"])

    @property
    def cpu(self) -> str:
        return str(self.figures["machine"]["cpu"])

    @property
    def turns(self) -> tuple[int, int]:
        """How many each model had, and of how many steps."""
        return self.figures["n"]["rounds"], self.figures["n"]["steps_in_turn"]

    def steps(self, family: str, variant: str) -> int:
        """In `minutes` of one thread's time."""
        return round(60 * self.minutes / self.figures["seconds_per_step"][family][variant])

    def futures(self, family: str, variant: str) -> Mapping[str, Mapping[str, float]]:
        """A second of one thread's time: {decoding: {"latents", "pictures"}}."""
        return self.figures["futures_per_second"][family][variant]


def read_pace(path: Path) -> Pace | None:
    """None where nothing was measured yet. Raises BadConfig for a file that is no pace."""
    try:
        pace = Pace(json.loads(path.read_text()))
        _ = pace.minutes, pace.cpu, pace.turns
        for family in FAMILIES:
            for variant in VARIANTS:
                pace.steps(family, variant), pace.futures(family, variant)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadConfig(
            str(path), expected="a pace of all eight models", got=f"{error!r}", remedy="Remove it, and measure again."
        ) from None
    return pace


def measure(data: Path, tokenizers: Mapping[str, Path], rounds: int, changes: list[str]) -> dict[str, Any]:
    """The fastest over rounds, since other work on the machine only adds; in each every model takes steps, and draws.

    Args:
        tokenizers: by family.
        rounds: that count, after one to warm up. In each a model takes IN_TURN steps, and one before that is not timed:
            it finds the processor's caches full of another model.
        changes: of both presets.

    Raises BadConfig: no round.
    """
    if rounds < 1:
        raise BadConfig("rounds", expected="1 or more", got=rounds, remedy="Leave --rounds out, or raise it.")
    models = {
        (family, variant): _Model(family, variant, data, tokenizers[family], changes)
        for family in FAMILIES
        for variant in VARIANTS
    }
    steps: dict[tuple[str, str], list[float]] = {key: [] for key in models}
    for _ in tqdm(range(1 + rounds), desc="steps", unit="round"):
        for key, model in models.items():
            model.step()
            steps[key] += [seconds(model.step, torch.device("cpu")) for _ in range(IN_TURN)]
    drawn: dict[tuple[str, str], list[dict[str, Any]]] = {key: [] for key in models}
    for _ in tqdm(range(1 + rounds), desc="futures", unit="round"):
        for key, model in models.items():
            drawn[key].append(model.draw())

    def by_variant(value: Any) -> dict[str, dict[str, Any]]:
        return {family: {variant: value((family, variant)) for variant in VARIANTS} for family in FAMILIES}

    return {
        "seconds_per_step": by_variant(lambda key: round(min(steps[key][IN_TURN:]), 4)),
        "futures_per_second": by_variant(lambda key: _futures(drawn[key][1:])),
    }


class _Model:
    """One of the eight, untrained: its speed is that of the trained one."""

    def __init__(self, family: str, variant: str, data: Path, tokenizer: Path, changes: list[str]) -> None:
        recipe, coder = recipe_of(family, variant, data, changes), load_tokenizer(tokenizer)
        material = open_training_data(data, recipe, coder)
        torch.manual_seed(recipe.train.seed)
        model = build_model(family, material.config.plain())
        self.family, self.windows = family, material.windows
        self.trainer = Trainer(WorldModelTask(model, coder, recipe.data.augmentation), recipe.train)
        self.order = BatchOrder(len(self.windows), recipe.train.batch_size, recipe.train.seed)  # type: ignore[arg-type]
        checkpoint = Checkpoint(PRESETS[family], family, model, coder, material.manifest, material.preprocessing)
        self.world_model = WorldModel(checkpoint)
        past = self.world_model.past_frames
        size = (FUTURES, past, material.preprocessing.height, material.preprocessing.width, 3)
        rng = np.random.default_rng(0)
        self.actions = np.zeros((FUTURES, self.world_model.future_frames, material.manifest.dim), np.float32)
        before = np.zeros((FUTURES, past, material.manifest.dim), np.float32)
        self.past = self.world_model.observe_many(rng.integers(0, 256, size, np.uint8), before)

    def step(self) -> None:
        self.trainer.module.train()
        batch = self.order.batch(self.trainer.step)
        self.trainer.train_step(default_collate([self.windows[item] for item in batch]))

    def draw(self) -> dict[str, Any]:
        """{decoding: seconds for latents, and for pictures}."""
        self.trainer.module.eval()
        ways = {"mean_future": Sampling(), "single": SINGLE[self.family]}
        return {name: imagined(self.world_model, self.past, self.actions, way, 0)[1] for name, way in ways.items()}


def _futures(rounds: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    found = {}
    for name in rounds[0]:
        latents, pictures = np.min([each[name] for each in rounds], axis=0)
        found[name] = {
            "latents": round(FUTURES / latents, 3),
            "pictures": round(FUTURES / (latents + pictures), 3),
        }
    return found
