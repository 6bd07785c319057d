"""Baselines on disk: two networks, and the store that they were trained on."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from hwm_core.data.episodes.store import open_store, require_preprocessing
from hwm_core.data.recording.preprocessing import Preprocessing
from hwm_core.data.robot.manifest import ActionManifest
from hwm_core.evaluation.closed_loop.baselines.inverse import inverse_loss, inverse_network
from hwm_core.evaluation.closed_loop.baselines.keypoint_net import KeypointNet
from hwm_core.evaluation.closed_loop.baselines.nearest import MotionLibrary
from hwm_core.evaluation.closed_loop.baselines.posture import posture_loss, posture_network
from hwm_core.evaluation.closed_loop.baselines.samples import FramePairs
from hwm_core.evaluation.closed_loop.view import PlainView
from hwm_core.io.atomic import new_file, write_json
from hwm_core.io.json_files import JsonFields
from hwm_core.world_model.checkpoint_files import read_weights, write_weights

_PAST_FRAMES = 2  # that a controller without a world model sees


@dataclass(frozen=True)
class NetworkKind:
    """A baseline that is trained."""

    build: Callable[[int], KeypointNet]  # number of joints A -> network
    loss: Callable[[KeypointNet, FramePairs], torch.Tensor]


NETWORKS = {
    "posture": NetworkKind(posture_network, posture_loss),
    "inverse": NetworkKind(inverse_network, inverse_loss),
}
"""{name: trained baseline}."""


class BaselineDescription(JsonFields):
    """The contents of baselines.json."""

    store: str
    manifest: ActionManifest
    preprocessing: Preprocessing
    training: dict[str, Any]  # {name: steps, losses and minutes}
    sha256: dict[str, str]  # of the weight files


@dataclass(frozen=True)
class Baselines:
    """Fitted baselines."""

    description: BaselineDescription
    networks: dict[str, KeypointNet]
    store: Path

    def library(self) -> MotionLibrary:
        """The motions of the training episodes. Raises BadBag when the store is gone."""
        store = open_store(self.store)
        require_preprocessing(store, self.description.preprocessing, self.store)
        return MotionLibrary(store.training, self.description.manifest)

    @property
    def view(self) -> PlainView:
        """Images, rate and joints of the training data."""
        preprocessing = self.description.preprocessing
        return PlainView(preprocessing.frame_rate_hz, _PAST_FRAMES, preprocessing, self.description.manifest)

    @property
    def mean(self) -> torch.Tensor:
        """Mean [A] of the actions in training."""
        return torch.tensor(self.description.manifest.mean)

    @property
    def std(self) -> torch.Tensor:
        """Standard deviation [A] of the actions in training; 0 for constant joints."""
        return torch.tensor(self.description.manifest.scale)


def write_baselines(folder: Path, networks: Mapping[str, KeypointNet], **description: Any) -> None:
    """Write `folder`; its baselines.json comes last.

    Args:
        networks: {name in NETWORKS: network}.
        description: fields of BaselineDescription but for `sha256`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    sums = {}
    for name, network in networks.items():
        with new_file(folder / f"{name}.safetensors") as partial:
            sums[f"{name}.safetensors"] = write_weights(partial, network)
    write_json(folder / "baselines.json", BaselineDescription(sha256=sums, **description).plain())


def read_baselines(folder: str | Path) -> Baselines:
    """Read what `hwm bench fit-baselines` wrote. Raises BadBag or BadCheckpoint when it is missing or damaged."""
    folder = Path(folder)
    description = BaselineDescription.from_json(folder / "baselines.json", "Fit them: `hwm bench fit-baselines`.")
    networks = {name: kind.build(description.manifest.dim) for name, kind in NETWORKS.items()}
    for name, network in networks.items():
        read_weights(folder / f"{name}.safetensors", description.sha256, network)
        network.eval()
    return Baselines(description, networks, Path(description.store))
