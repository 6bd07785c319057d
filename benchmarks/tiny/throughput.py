"""The throughput of the eight tiny models, measured side by side: training steps and predictions.

It turns a time budget into a number of training steps. A budget in steps gives the same run on any machine.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from benchmarks.predictions import SINGLE_SAMPLE, timed_prediction
from benchmarks.stopwatch import seconds
from benchmarks.tiny.equal_size import PRESETS, recipe_of
from benchmarks.tiny.runs import FAMILIES, VARIANTS
from hwm_core.data.batches import stack
from hwm_core.errors import BadConfig
from hwm_core.sampling.config import Sampling
from hwm_core.train.order import BatchOrder
from hwm_core.train.tasks import WorldModelTask
from hwm_core.train.trainer import Trainer
from hwm_core.train.training_data import open_training_data
from hwm_core.world_model.checkpoint import Checkpoint, load_tokenizer
from hwm_core.world_model.model import WorldModel
from hwm_core.world_model.registry import build_model

STEPS_PER_TURN = 3
BATCH = 16  # predictions at once


@dataclass(frozen=True)
class Throughput:
    """The measured throughput of all eight models."""

    document: Mapping[str, Any]  # the whole file

    @property
    def minutes(self) -> float:
        """The time budget of a run."""
        return float(self.document["minutes"])

    @property
    def cpu(self) -> str:
        """The processor that was measured."""
        return str(self.document["machine"]["cpu"])

    @property
    def turns(self) -> tuple[int, int]:
        """The number of turns of each model, and the training steps of a turn."""
        return self.document["n"]["rounds"], self.document["n"]["steps_per_turn"]

    def steps(self, family: str, variant: str) -> int:
        """Training steps in `minutes` of processor time on one thread."""
        return round(60 * self.minutes / self.document["seconds_per_step"][family][variant])

    def predictions_per_second(self, family: str, variant: str) -> Mapping[str, Mapping[str, float]]:
        """{prediction: {"latents", "frames"}}, per second of processor time on one thread."""
        return self.document["predictions_per_second"][family][variant]


def read_throughput(path: Path) -> Throughput | None:
    """The measured throughput; None if the file does not exist. Raises BadConfig for a damaged file."""
    try:
        throughput = Throughput(json.loads(path.read_text()))
        _ = throughput.minutes, throughput.cpu, throughput.turns
        for family in FAMILIES:
            for variant in VARIANTS:
                throughput.steps(family, variant), throughput.predictions_per_second(family, variant)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadConfig(
            str(path),
            expected="the throughput of all eight models",
            got=f"{error!r}",
            remedy="Remove it, and measure again.",
        ) from None
    return throughput


def measure(data: Path, tokenizers: Mapping[str, Path], rounds: int, changes: list[str]) -> dict[str, Any]:
    """Measure all eight models in turn. The fastest round counts, because other load on the machine only adds time.

    Args:
        data: an episode store.
        tokenizers: tokenizer folders by family.
        rounds: measured rounds, after one warm-up round. In each round a model takes one untimed step, which refills
            the processor's caches, and then STEPS_PER_TURN timed steps.
        changes: overrides for both presets.

    Raises BadConfig if `rounds` is below 1.
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
            steps[key] += [seconds(model.step, torch.device("cpu")) for _ in range(STEPS_PER_TURN)]
    predictions: dict[tuple[str, str], list[dict[str, Any]]] = {key: [] for key in models}
    for _ in tqdm(range(1 + rounds), desc="predictions", unit="round"):
        for key, model in models.items():
            predictions[key].append(model.predict())

    def by_variant(value: Any) -> dict[str, dict[str, Any]]:
        return {family: {variant: value((family, variant)) for variant in VARIANTS} for family in FAMILIES}

    return {
        "seconds_per_step": by_variant(lambda key: round(min(steps[key][STEPS_PER_TURN:]), 4)),
        "predictions_per_second": by_variant(lambda key: _per_second(predictions[key][1:])),
    }


class _Model:
    """One of the eight models, untrained: training does not change its speed."""

    def __init__(self, family: str, variant: str, data: Path, tokenizer: Path, changes: list[str]) -> None:
        recipe, loaded = recipe_of(family, variant, data, changes), load_tokenizer(tokenizer)
        training = open_training_data(data, recipe, loaded)
        torch.manual_seed(recipe.train.seed)
        model = build_model(family, training.config.plain())
        self.family, self.windows = family, training.windows
        self.trainer = Trainer(WorldModelTask(model, loaded, recipe.data.augmentation), recipe.train)
        self.order = BatchOrder(len(self.windows), recipe.train.batch_size, recipe.train.seed)  # type: ignore[arg-type]
        checkpoint = Checkpoint(PRESETS[family], family, model, loaded, training.manifest, training.preprocessing)
        self.world_model = WorldModel(checkpoint)
        past_frames = self.world_model.past_frames
        size = (BATCH, past_frames, training.preprocessing.height, training.preprocessing.width, 3)
        rng = np.random.default_rng(0)
        self.actions = np.zeros((BATCH, self.world_model.future_frames, training.manifest.dim), np.float32)
        past_actions = np.zeros((BATCH, past_frames, training.manifest.dim), np.float32)
        self.past = self.world_model.observe(rng.integers(0, 256, size, np.uint8), past_actions)

    def step(self) -> None:
        """One training step."""
        self.trainer.module.train()
        batch = self.order.batch(self.trainer.step)
        self.trainer.train_step(stack([self.windows[item] for item in batch]))

    def predict(self) -> dict[str, Any]:
        """{prediction: processor seconds [2] for the latents and for decoding them}, for BATCH predictions."""
        self.trainer.module.eval()
        settings = {"mean_prediction": Sampling(), "single": SINGLE_SAMPLE[self.family]}
        return {
            name: timed_prediction(self.world_model, self.past, self.actions, sampling, 0)[1]
            for name, sampling in settings.items()
        }


def _per_second(rounds: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    rates = {}
    for name in rounds[0]:
        latents_s, decoding_s = np.min([each[name] for each in rounds], axis=0)
        rates[name] = {
            "latents": round(BATCH / latents_s, 3),
            "frames": round(BATCH / (latents_s + decoding_s), 3),
        }
    return rates
