"""The memory of a rollout, measured without values: sizes are exact, and no weight is needed."""

import pytest
import torch
from waits import META, MetaRandom

from hwm_core.accounting.peak_memory import PeakMemory
from hwm_core.models.config import WorldModelConfig
from hwm_core.models.flow_config import FlowConfig
from hwm_core.models.masked_config import MaskedConfig
from hwm_core.models.network import WorldModelNetwork
from hwm_core.models.st_config import STConfig
from hwm_core.models.wan_config import WanConfig
from hwm_core.sampling.config import Sampling
from hwm_core.world_model.memory import bytes_per_candidate
from hwm_core.world_model.registry import FAMILIES, Family

SMALL = {"dim": 192, "depth": 2, "patch": 2, "grid": (16, 16)}
FLOW = {
    "variant": "modality_shared",
    "attention": "clean_context",
    "unshared_depth": 0,
    "num_heads": 4,
    "latent_channels": 8,
    **SMALL,
}
PLAN = {"predicts": "data", "modulation": "time_and_actions", "conv_width": 64, "qk_norm": "always"}
CONFIGS = {
    "masked": MaskedConfig(vocabulary="factorised", num_heads=3, num_future_latents=3, **SMALL),
    "masked, paper": MaskedConfig(depth=2, num_future_latents=3),
    "flow": FlowConfig(num_future_latents=3, **FLOW),
    "flow, plan": FlowConfig(num_future_latents=4, future="separate", **FLOW, **PLAN),
    "st_transformer": STConfig(vocabulary="factorised", num_heads=3, **SMALL),
    "st_transformer, paper": STConfig(depth=2),
    "flow, paper": FlowConfig(depth=2, attention="clean_context"),
    "wan": WanConfig(num_heads=3, base_dtype="float32", latent_channels=8, text_length=64, **SMALL),
    "wan, paper": WanConfig(depth=2),
}


def family_of(config: WorldModelConfig) -> Family:
    return next(one for one in FAMILIES.values() if isinstance(config, one.config))


def built(config: WorldModelConfig) -> WorldModelNetwork:
    with META:
        network = family_of(config).network(config)
    return network.eval()


def peak(network: WorldModelNetwork, candidates: int, num_latents: int, sampling: Sampling | None = None) -> int:
    """Bytes of a rollout of the last latents beside weights and past."""
    config = network.config
    predictor = family_of(config).predictor(network)
    codes = torch.empty(1, config.num_past_latents, *config.grid, dtype=torch.long, device=META)
    with torch.inference_mode():
        past = predictor.observe(
            torch.empty(*codes.shape, config.latent_channels, device=META)
            if isinstance(config, (FlowConfig, WanConfig))
            else codes,
            torch.empty(1, config.past_frames, config.action_dim, device=META),
        )
        actions = torch.empty(candidates, config.future_frames, config.action_dim, device=META)
        with PeakMemory() as memory:
            predictor.predict(
                past,
                actions,
                candidates=candidates,
                num_latents=num_latents,
                skip=config.num_future_latents - num_latents,
                sampling=sampling or Sampling(),
                generator=MetaRandom(),
            )
    return memory.peak


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("name", CONFIGS)
def test_the_estimated_bytes_of_a_candidate_are_enough_and_at_most_four_times_too_many(name: str, whole: bool) -> None:
    network = built(CONFIGS[name])
    latents = network.config.num_future_latents if whole else 1
    measured = (peak(network, 12, latents) - peak(network, 4, latents)) / 8
    assert measured <= bytes_per_candidate(network, latents, torch.float32) <= 4 * measured


@pytest.mark.parametrize("sampling", [Sampling(), Sampling(steps=2, soft=False)], ids=["mean", "two steps"])
def test_64_candidates_of_the_papers_masked_base_need_no_64000_logits_for_all_sites_at_once(sampling: Sampling) -> None:
    network = built(MaskedConfig(depth=2, num_future_latents=1))
    logits_of_all_sites = 64 * 1024 * 64_000 * 4
    assert peak(network, 64, 1, sampling) < 5e9 < logits_of_all_sites / 3


def test_keys_and_values_of_one_block_at_a_time_are_in_memory() -> None:
    shallow, deep = (built(CONFIGS["flow"].model_copy(update={"depth": depth})) for depth in (3, 12))
    assert peak(deep, 16, 1) < 1.2 * peak(shallow, 16, 1)
