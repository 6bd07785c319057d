"""How far predictions change when one joint is perturbed."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from known_world import MANIFEST, evaluate, noise_episodes
from untrained import untrained

from hwm_core.evaluation.json_report import (
    sensitivity_json,
)
from hwm_core.evaluation.sensitivity import perturbed
from hwm_core.world_model.model import WorldModel


@pytest.mark.parametrize("family", ["masked", "flow", "st_transformer"])
def test_each_joint_is_perturbed_in_turn_and_a_constant_joint_changes_nothing(family: str) -> None:
    checkpoint = untrained(family=family)
    for parameter in checkpoint.model.parameters():
        torch.nn.init.normal_(parameter, std=0.3, generator=torch.Generator().manual_seed(len(parameter)))
    constant = checkpoint.manifest.model_copy(update={"constant": (False, True, False)})
    world = WorldModel(replace(checkpoint, manifest=constant), dtype=torch.float32)
    result = evaluate(world, noise_episodes(), horizons=(8,), sensitivity=2)
    response, numbers = result.sensitivity, sensitivity_json(result)
    assert numbers is not None and list(numbers["joints"]) == ["neck_yaw", "left_elbow", "right_elbow"]
    assert response is not None
    assert response.change.shape == (2, 3)
    assert (response.change[:, 1] == 0).all() and (response.change[:, [0, 2]] > 0).all()


def test_a_joint_is_perturbed_by_its_standard_deviation_away_from_its_nearer_limit() -> None:
    actions = np.tile(np.float32([2.5, 0.0]), (24, 1))  # the slide is near its upper end, 2.55
    off = perturbed(MANIFEST, actions) - actions
    slide, neck = MANIFEST.std
    np.testing.assert_allclose(off[0], np.tile([-slide, 0.0], (24, 1)), atol=1e-6)
    np.testing.assert_allclose(off[1], np.tile([0.0, neck], (24, 1)), atol=1e-6)
