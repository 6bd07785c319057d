"""On a GPU: the costs of a search wait for nothing, and compiled predictions with CUDA graphs are the same."""

import numpy as np
import pytest
import torch
from untrained import untrained

from hwm_core.planning.costs.objective import Objective
from hwm_core.planning.joint_space import JointSpace
from hwm_core.planning.scoring import ScoreEngine
from hwm_core.sampling.config import Sampling
from hwm_core.world_model.dynamics import WorldModelDynamics
from hwm_core.world_model.model import WorldModel
from hwm_core.world_model.past import Past

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")]

MODELS = {"masked": {"family": "masked"}, "flow": {"family": "flow", "attention": "clean_context"}}


def on_gpu(name: str) -> tuple[WorldModel, Past, torch.Tensor]:
    checkpoint = untrained(**MODELS[name])
    checkpoint.model.cuda()
    checkpoint.tokenizer.cuda()
    world, rng = WorldModel(checkpoint), np.random.default_rng(0)
    frames = rng.integers(0, 256, (world.past_frames, 16, 16, 3), dtype=np.uint8)
    past = world.observe(frames, rng.normal(size=(world.past_frames, 3)).astype(np.float32))
    return world, past, torch.randn(6, world.future_frames, 3, device="cuda")


@pytest.mark.parametrize("sampling", [Sampling(), Sampling(steps=2, soft=False, temperature=1.0, guidance_scale=2.0)])
@pytest.mark.parametrize("name", MODELS)
def test_pytorch_sees_no_synchronisation_in_the_costs_of_a_search(name: str, sampling: Sampling) -> None:
    world, past, actions = on_gpu(name)
    space = JointSpace.from_manifest(world.manifest, world.frame_rate_hz, 3.0, "cuda")
    dynamics = WorldModelDynamics(world, sampling=sampling, approximate=True)
    image = np.zeros((16, 16, 3), np.uint8)
    engine, goal = ScoreEngine(dynamics, Objective(), space), dynamics.goal(image, image)
    engine.costs(past, goal, actions)  # fills the caches of constants
    torch.cuda.set_sync_debug_mode("error")
    try:
        costs = engine.costs(past, goal, actions)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert costs.isfinite().all()


@pytest.mark.parametrize("name", MODELS)
def test_predictions_with_cuda_graphs_are_the_same(name: str) -> None:
    world, past, actions = on_gpu(name)
    dynamics = WorldModelDynamics(world)
    plain = dynamics.rollout(past, actions).latents
    world.compile("reduce-overhead")
    for _ in range(3):  # the graph is recorded at the second call
        again = dynamics.rollout(past, actions).latents.clone()
    torch.testing.assert_close(again, plain, rtol=0.02, atol=0.02)
