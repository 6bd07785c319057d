"""The checkpoints that ship with the package."""

import numpy as np
import pytest

from hwm_core.assets import SHIPPED, checkpoint_path
from hwm_core.errors import BadCheckpoint
from hwm_core.evaluation.simulated import held_out
from hwm_core.evaluation.windows import EvaluationWindows, donor_windows
from hwm_core.metrics.psnr import frame_mse, mean_psnr
from hwm_core.sampling.config import Sampling
from hwm_core.sim.seeds import FIRST_SEED
from hwm_core.world_model.model import WorldModel

AHEAD = 16  # frames


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_checkpoint_is_small_and_beats_copy_last_and_shuffled_actions(name) -> None:
    folder = checkpoint_path(name)
    assert sum(file.stat().st_size for file in folder.iterdir()) <= 15e6
    world_model = WorldModel.load(folder)
    assert world_model.family == SHIPPED[name]
    episodes, _ = held_out(range(FIRST_SEED["held_out"], FIRST_SEED["held_out"] + 2), world_model.preprocessing)
    past_frames, future = world_model.past_frames, world_model.future_frames
    windows = EvaluationWindows(episodes, world_model.manifest, past_frames, future, stride=60)
    every = np.arange(len(windows))
    frames, actions = windows.frames(every), windows.actions(every)
    past = world_model.observe(frames[:, :past_frames], actions[:, :past_frames])
    truth = frames[:, past_frames + AHEAD - 1]
    assert Sampling().steps == 1, "the planner may use up to four evaluations per future; the default uses one"

    def psnr(future_actions: np.ndarray) -> float:
        rollout = world_model.rollout(past, future_actions, sampling=Sampling())
        return mean_psnr(frame_mse(world_model.frames(past, rollout)[:, AHEAD - 1], truth))

    true, shuffled = (
        psnr(actions[:, past_frames:]),
        psnr(windows.shuffled_actions(every, donor_windows(windows, seed=0))),
    )
    # On 216 windows: at least 3.5 dB above the last frame, 3.0 above shuffled actions. These are 10 windows.
    assert true > mean_psnr(frame_mse(frames[:, past_frames - 1], truth)) + 1.0
    assert true > shuffled + 1.0


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_checkpoint_is_loaded_by_its_name(name):
    assert WorldModel.load(name).name == name


def test_an_unknown_name_is_rejected_with_the_nearest_one():
    with pytest.raises(BadCheckpoint, match=r"expected a folder, or one of tiny, flow_tiny.*Did you mean `tiny`"):
        WorldModel.load("tinny")
