"""Train a regression U-Net on pixels and evaluate it on the episodes, windows and conditions of the world models.

    python -m benchmarks.regression.comparison --data g1_store --actions states --minutes 11 --out runs/regression

PSNR rewards the mean of the possible futures. This network predicts nothing else, so it is a strong baseline. The
command writes benchmarks/results/regression/<robot>_<actions>.json and prints the table.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.record import RESULTS, command_line, write_result
from benchmarks.regression.task import RegressionTask
from benchmarks.regression.unet import RegressionUNet
from benchmarks.tables import table
from hwm_core.data.episodes.augment import Augmentation
from hwm_core.data.episodes.store import open_store
from hwm_core.data.episodes.windows import Windows
from hwm_core.data.robot.manifest import ActionManifest
from hwm_core.errors import BadConfig, BadInput
from hwm_core.evaluation.condition_names import title
from hwm_core.evaluation.json_report import interval_json
from hwm_core.evaluation.table import decimals, gain
from hwm_core.evaluation.windows import EvaluationWindows, donor_windows
from hwm_core.frames import to_frames, to_video
from hwm_core.metrics.bootstrap import Interval, paired_bootstrap
from hwm_core.metrics.psnr import frame_mse, psnr
from hwm_core.train.config import TrainingConfig
from hwm_core.train.trainer import Trainer
from training.commands.arguments import positive
from training.environment import revision
from training.screen import Screen

PAST, FUTURE = 9, 32  # frames, as in the preset `g1`
ACTION_DROPOUT = 0.15  # as in the preset `g1`
_TRAINING: Mapping[str, Any] = {
    "clock": "processor",
    "batch_size": 32,
    "optimiser": "muon",
    "learning_rate": 4e-3,
    "schedule": "cosine",
    "weight_decay": 0.05,
    "ema_decay": 0.995,
}
CONDITIONS = ("regression", "shuffled", "none", "copy_last")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line. Exit status 0: done; 2: bad input."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="an episode store")
    parser.add_argument("--out", type=Path, required=True, help="folder for the TensorBoard logs")
    parser.add_argument("--actions", choices=("states", "commands"), default="states", help="kind of actions")
    parser.add_argument("--minutes", type=float, default=11.0, help="processor time of the training (%(default)s)")
    parser.add_argument(
        "--horizons",
        type=int,
        choices=range(1, FUTURE + 1),
        metavar="N",
        nargs="+",
        default=[3, 8, 10, 16, 30],
        help="frames ahead (3 8 10 16 30)",
    )
    parser.add_argument("--stride", type=positive, default=5, help="frames between evaluated windows (%(default)s)")
    parser.add_argument("--results", type=Path, default=RESULTS / "regression", help="folder to write (%(default)s)")
    parsed = parser.parse_args(words)
    try:
        result = _run(parsed)
    except BadInput as error:
        parser.error(str(error))
    path = parsed.results / f"{result['robot']}_{parsed.actions}.json"
    write_result(
        path, command=command_line("benchmarks.regression.comparison", words), n=result.pop("n"), numbers=result
    )
    print(report(result))
    return 0


def report(result: Mapping[str, Any]) -> str:
    """Markdown: the PSNR of every condition, and the gain of the regression over the other conditions."""
    rows = [[title(condition), *map(decimals, values)] for condition, values in result["psnr_db"].items()]
    for condition, gains in result["gain_over"].items():
        rows.append([f"regression above {title(condition)}", *(gain(Interval(**one)) for one in gains)])
    horizons = (f"{horizon} frames ahead" for horizon in result["horizons"])
    return table([f"actions: {result['actions']}; PSNR in dB", *horizons], rows)


def _run(arguments: argparse.Namespace) -> dict[str, Any]:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    store = open_store(arguments.data)
    if (manifest := store.manifests.get(arguments.actions)) is None:
        recorded = " or ".join(store.manifests)
        raise BadConfig("--actions", expected=recorded, got=arguments.actions, remedy="Choose a recorded kind.")
    held_out = EvaluationWindows(store.validation, manifest, PAST, FUTURE, arguments.stride)
    training = TrainingConfig.parse({"max_minutes": arguments.minutes, **_TRAINING}, where="--minutes")
    model = RegressionUNet(past=PAST, future=FUTURE, joints=manifest.dim)
    with Screen(arguments.out) as screen:
        trainer = Trainer(RegressionTask(model, Augmentation(), ACTION_DROPOUT), training, reporter=screen)
        trainer.fit(Windows(store.training, manifest, PAST, FUTURE))
    errors = _errors(trainer.result(), held_out, manifest, arguments.horizons)
    found = {condition: psnr(values) for condition, values in errors.items()}
    gains = {name: (found["regression"] - values).T for name, values in found.items() if name != "regression"}
    return {
        "n": {"episodes": len(store.validation), "windows": len(held_out)},
        "robot": manifest.robot,
        "actions": arguments.actions,
        "horizons": arguments.horizons,
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "minutes": arguments.minutes,
        "steps": trainer.step,
        "psnr_db": {condition: values.mean(0).round(4).tolist() for condition, values in found.items()},
        "gain_over": {
            condition: [interval_json(paired_bootstrap(one, held_out.episode, seed=0)) for one in by_horizon]
            for condition, by_horizon in gains.items()
        },
        "revision": revision(),
    }


@torch.no_grad()
def _errors(
    model: RegressionUNet, windows: EvaluationWindows, manifest: ActionManifest, horizons: Sequence[int]
) -> dict[str, NDArray[np.float64]]:
    """Mean squared error [W, horizons] under every condition."""
    model.eval()
    donor = donor_windows(windows, seed=0)
    found: dict[str, list[NDArray[np.float64]]] = {condition: [] for condition in CONDITIONS}
    for some in np.array_split(np.arange(len(windows)), -(-len(windows) // 32)):
        frames, own = windows.frames(some), windows.actions(some)
        past = to_video(frames[:, :PAST])
        shuffled = np.concatenate([own[:, :PAST], windows.shuffled_actions(some, donor[some])], axis=1)
        predicted = {
            "regression": _predict(model, past, manifest.normalise(own), 1.0, horizons),
            "shuffled": _predict(model, past, manifest.normalise(shuffled), 1.0, horizons),
            "none": _predict(model, past, manifest.normalise(own), 0.0, horizons),
            "copy_last": np.repeat(frames[:, PAST - 1, None], len(horizons), axis=1),
        }
        truth = frames[:, PAST - 1 + np.asarray(horizons)]
        for condition, images in predicted.items():
            found[condition].append(frame_mse(images, truth))
    return {condition: np.concatenate(parts) for condition, parts in found.items()}


def _predict(
    model: RegressionUNet, past: Tensor, actions: NDArray[np.float32], with_actions: float, horizons: Sequence[int]
) -> NDArray[np.uint8]:
    """Frames [B, horizons, H, W, 3]."""
    flags, played = torch.full((len(past),), with_actions), torch.from_numpy(actions)
    with torch.autocast("cpu", torch.bfloat16):
        frames = [model(past, played, flags, torch.full((len(past),), horizon)) for horizon in horizons]
    return to_frames(torch.stack(frames, dim=1))


if __name__ == "__main__":
    sys.exit(main())
