"""The speed bench: agreement with the slow setting, times by candidate, and scenes of the simulated humanoid."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from untrained import save_untrained

from hwm_core.errors import BadCheckpoint
from hwm_core.evaluation.speed.measure import NAIVE_CANDIDATES, SpeedRow, measure
from hwm_core.evaluation.speed.plan import PlanSpeed
from hwm_core.evaluation.speed.scene import Scene
from hwm_core.evaluation.speed.settings import NAIVE, SETTINGS, SLOW, make_score
from hwm_core.evaluation.speed.table import speed_table
from hwm_core.planning.costs.objective import Objective
from hwm_core.sampling.config import Sampling
from hwm_core.world_model.model import WorldModel

SCENES = [
    Scene(
        task="reach",
        seed=seed,
        joints=("elbow",),
        frames=np.zeros((9, 4, 4, 3), np.uint8),
        actions=np.zeros((9, 1), np.float32),
        goal=np.zeros((4, 4, 3), np.uint8),
        candidates=np.random.default_rng(seed).normal(size=(24, 8, 1)).astype(np.float32),
    )
    for seed in range(2)
]


class Scorer:
    """Costs known from the candidates; remembers how many were asked for."""

    def __init__(self, sign: float = 1.0) -> None:
        self.sign, self.asked = sign, []

    def __call__(self, scene: Scene, count: int) -> torch.Tensor:
        self.asked.append(count)
        return self.sign * torch.from_numpy(scene.candidates[:count, -1, 0])


def test_a_setting_that_ranks_alike_is_accepted_and_one_that_ranks_the_other_way_is_not() -> None:
    rows = measure({SLOW: Scorer(), NAIVE: Scorer(), "exact": Scorer(), "last latents": Scorer(-1.0)}, SCENES, [24], 1)
    assert {name: row.accepted for name, row in rows.items()} == {
        SLOW: True,
        NAIVE: True,
        "exact": True,
        "last latents": False,
    }
    assert rows["exact"].spearman == (1.0, 1.0) and rows["last latents"].spearman == (-1.0, -1.0)
    assert rows["last latents"].top1_regret == (1.0, 1.0), "it chooses the worst"


def test_every_setting_scores_every_number_of_candidates_and_the_naive_one_a_few() -> None:
    scores = {SLOW: Scorer(), NAIVE: Scorer()}
    calls: list[str] = []
    rows = measure(scores, SCENES, [1, 24], 2, calls.append)
    agreement, timed = 2, 3 * 2
    assert len(calls) == 2 * (agreement + timed)
    assert scores[SLOW].asked.count(24) == 2 + 3 and scores[SLOW].asked.count(1) == 3
    assert max(scores[NAIVE].asked) == NAIVE_CANDIDATES
    assert set(rows[NAIVE].wall_ms) == {1, 24} and all(value > 0 for value in rows[NAIVE].wall_ms.values())


@pytest.mark.parametrize(
    ("spearman", "regret", "accepted"), [(0.95, 0.05, True), (0.94, 0.0, False), (1.0, 0.06, False)]
)
def test_acceptance_needs_both_measures(spearman: float, regret: float, accepted: bool) -> None:
    assert SpeedRow({1: 1.0}, {1: 1.0}, (spearman,), (regret,)).accepted == accepted


def test_the_table_has_the_ratios_of_one_run_and_says_what_is_rejected() -> None:
    rows = {
        SLOW: SpeedRow({64: 200.0}, {64: 400.0}, (1.0,), (0.0,)),
        NAIVE: SpeedRow({64: 1000.0}, {64: 2000.0}, (1.0,), (0.0,)),
        "last latents": SpeedRow({64: 50.0}, {64: 100.0}, (0.8,), (0.2,)),
    }
    table = speed_table(rows, [64], PlanSpeed((90.0, 110.0, 100.0), (1.0, 1.0, 1.0), 192.0))
    line = next(line for line in table.splitlines() if SETTINGS["last latents"].summary in line)
    assert "| 50 | 4.00 | 20.00 | 0.800 | 20.0 %, rejected |" in line
    assert table.endswith("A plan: p50 100 ms, 192 futures, n = 3")


def test_settings_of_one_checkpoint_score_alike_and_a_replaced_checkpoint_is_rejected(tmp_path) -> None:
    folder = save_untrained(tmp_path / "checkpoint", family="flow", attention="clean_context", future="separate")
    world, cpu = WorldModel.load(folder), torch.device("cpu")
    random = np.random.default_rng(0)
    scene = replace(
        SCENES[0],
        frames=random.integers(0, 256, (world.past_frames, 16, 16, 3), dtype=np.uint8),
        actions=random.normal(size=(world.past_frames, 3)).astype(np.float32),
        goal=random.integers(0, 256, (16, 16, 3), dtype=np.uint8),
        candidates=random.normal(size=(6, world.future_frames, 3)).astype(np.float32),
    )
    arguments = (folder, cpu, Objective(), Sampling(), 3.0)
    slow, *others = (
        make_score(setting, *arguments, world.sha256)(scene, 6) for setting in SETTINGS.values() if not setting.compile
    )
    assert all(torch.allclose(slow, other, rtol=0.02, atol=0.02) for other in others)
    with pytest.raises(BadCheckpoint, match="replaced during the measurement"):
        make_score(SETTINGS[SLOW], *arguments, "another")
