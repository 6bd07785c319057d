"""The memory of scoring candidates, by accounting: nothing is computed, and no GPU is needed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from hwm_core.accounting.gpu_kernels import FakeGenerator, fake_gpu
from hwm_core.models.flow_config import FlowConfig
from hwm_core.models.network import WorldModelNetwork
from hwm_core.rng.candidates import CandidateGenerator
from hwm_core.sampling.config import Sampling
from hwm_core.world_model.kept_weights import keep_weights
from hwm_core.world_model.memory import bytes_per_candidate
from hwm_core.world_model.registry import build_model, family


@dataclass(frozen=True)
class ScoringMemory:
    """Bytes on one GPU."""

    weights: int
    past: int  # encoded past, with its keys and values
    rollout: int  # at the peak: the futures of one part of the candidates
    at_once: int  # candidates of a part, not bytes

    @property
    def total(self) -> int:
        """The peak."""
        return self.weights + self.past + self.rollout


def scoring_memory(
    name: str,
    config: Mapping[str, Any],
    candidates: int,
    *,
    sampling: Sampling | None = None,
    memory: int = 2**31,
    dtype: torch.dtype = torch.bfloat16,
) -> ScoringMemory:
    """Account for the rollout of candidates from one past, in parts as `WorldModelDynamics` rolls them out.

    Not counted: the tokenizer, the CUDA context, and what the allocator keeps in reserve.

    Args:
        name, config: of the model, as for `build_model`.
        memory: bytes that the futures of a part may take by the estimate of `bytes_per_candidate`.
        dtype: precision of the arithmetic.
    """
    with fake_gpu(dtype) as counted, torch.inference_mode():
        network = build_model(name, dict(config)).eval()
        keep_weights(network, dtype)
        weights = counted.now
        settings, predictor = network.config, family(name).predictor(network)
        future = settings.num_future_latents
        at_once = min(candidates, max(1, memory // bytes_per_candidate(network, future, dtype)))
        past = predictor.observe(_codes(network), torch.empty(1, settings.past_frames, settings.action_dim))
        known = counted.now - weights
        counted.peak = counted.now
        predictor.predict(
            past,
            torch.empty(at_once, settings.future_frames, settings.action_dim),
            candidates=at_once,
            num_latents=future,
            sampling=sampling or Sampling(),
            generator=_Random(),
        )
        return ScoringMemory(weights, known, counted.peak - weights - known, at_once)


def _codes(network: WorldModelNetwork) -> torch.Tensor:
    shape = (1, network.config.num_past_latents, *network.config.grid)
    if isinstance(network.config, FlowConfig):
        return torch.empty(*shape, network.config.latent_channels)
    return torch.empty(shape, dtype=torch.long)


class _Random(CandidateGenerator):
    """Random numbers without values."""

    def __init__(self) -> None:
        self._seeds, self._shared, self._device = [0], True, FakeGenerator.device
        self._uniform = self._normal = [FakeGenerator()]
