"""A small network that reads positions off latents, and its file."""

import json
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from hwm_core.errors import BadConfig, nearest_path
from hwm_core.io.atomic import new_file
from hwm_core.planning.keypoint_reader import KeypointReader

_WIDTH = 64


class ReadoutProbe(KeypointReader):
    """Latents -> positions.

    Args:
        channels: C of the latents.
        targets: names of what it locates, such as "right_palm".
        encoder: identifies the tokenizer of the latents, as in `Goal`.
    """

    def __init__(self, channels: int, targets: Sequence[str], encoder: str) -> None:
        features = nn.Sequential(
            nn.Conv2d(channels, _WIDTH, 3, padding=1),
            nn.GELU(),
            nn.Conv2d(_WIDTH, _WIDTH, 3, padding=1),
            nn.GELU(),
        )
        super().__init__(features, _WIDTH, 0, 3 * len(targets))
        self.channels, self.targets, self.encoder = channels, tuple(targets), encoder

    def forward(self, latents: Tensor) -> Tensor:
        """Positions [..., P, 3] in metres of P targets in latents [..., h, w, C]."""
        images = latents.reshape(-1, *latents.shape[-3:]).movedim(-1, 1)
        positions = self.read_features(self.features(images), images.new_empty(len(images), 0))
        return positions.reshape(*latents.shape[:-3], len(self.targets), 3)


def write_probe(path: Path, probe: ReadoutProbe) -> None:
    """Write a safetensors file with all that `read_probe` needs."""
    metadata = {"targets": json.dumps(probe.targets), "channels": str(probe.channels), "encoder": probe.encoder}
    with new_file(path) as partial:
        safetensors.torch.save_file(probe.state_dict(), partial, metadata)


def read_probe(path: str | Path, device: torch.device | str = "cpu") -> ReadoutProbe:
    """The probe of a file; it is read again only when the file changes. Raises BadConfig for any other file."""
    path = Path(path)
    try:
        return _read(path, str(device), path.stat().st_mtime_ns)
    except OSError as error:
        raise BadConfig(
            f"Read-out {path}",
            expected="a file of `hwm bench fit-readout`",
            got=error.strerror or error,
            remedy=nearest_path(path, "Fit one, or check the path."),
        ) from None
    except (safetensors.SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise BadConfig(
            f"Read-out {path}",
            expected="a file of `hwm bench fit-readout`",
            got=error,
            remedy="Fit it again.",
        ) from None


@lru_cache(maxsize=4)
def _read(path: Path, device: str, changed_ns: int) -> ReadoutProbe:
    with safetensors.safe_open(path, "pt") as file:
        metadata = file.metadata()
        weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118, not a mapping
    probe = ReadoutProbe(int(metadata["channels"]), json.loads(metadata["targets"]), metadata["encoder"])
    probe.load_state_dict(weights)
    return probe.to(device).requires_grad_(False).eval()
