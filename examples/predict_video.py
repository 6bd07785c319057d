"""Predict a second of video from a short past and planned actions, and save it next to the true frames.

    python examples/predict_video.py --out prediction.mp4

The past comes from the simulated humanoid, so the example runs on any machine. For your robot, fill `frames` and
`actions` from your camera and joint messages; `world_model.preprocessing.apply` crops and resizes a camera image.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from hwm_core import Sampling, WorldModel
from hwm_core.sim.recorder import simulate_episode
from hwm_core.visualization import VideoWriter, side_by_side


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", default="tiny", help="name of a shipped checkpoint, or a folder (%(default)s)")
    parser.add_argument("--seed", type=int, default=7, help="seed of the simulated episode (%(default)s)")
    parser.add_argument("--out", type=Path, default=Path("prediction.mp4"), help="%(default)s")
    options = parser.parse_args(arguments)

    world_model = WorldModel.load(options.checkpoint)
    episode = simulate_episode(options.seed, seconds=3.0).to_episode(world_model.preprocessing)
    actions = world_model.manifest.actions_of(episode)  # [F, A], in the order of the model's joints

    now, future = world_model.past_frames, world_model.future_frames
    past = world_model.observe(episode.frames[:now], actions[:now])
    rollout = world_model.rollout(past, actions[None, now : now + future], sampling=Sampling())
    predicted = world_model.frames(past, rollout)[0]  # [F, H, W, 3]

    with VideoWriter(options.out, world_model.frame_rate_hz) as video:
        for ahead, frame in enumerate(predicted, start=1):
            panels = {"camera": episode.frames[now + ahead - 1], "predicted": frame}
            caption = f"{ahead / world_model.frame_rate_hz:.2f} s ahead"
            video.write(side_by_side(panels, caption, progress=ahead / future))
    print(f"{future} predicted frames: {options.out}")


if __name__ == "__main__":
    main()
