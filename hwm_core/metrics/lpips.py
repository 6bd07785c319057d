"""LPIPS (arXiv 1801.03924), the learned perceptual distance between two images, with a local TorchScript file.

torchmetrics also has LPIPS, but it downloads the weights of its backbone.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from hwm_core.errors import BadCheckpoint, BadConfig, BadInput
from hwm_core.metrics.extractors import SCRIPT_ERRORS, load_script

# The call of a file: two images float [N, 3, H, W] in [0, 1] -> distances [N].
KINDS: Mapping[str, tuple[Callable[[Any, Tensor, Tensor], Tensor], str]] = {
    "vgg16": (
        lambda module, a, b: (_vgg(module, a) - _vgg(module, b)).square().sum(-1),
        "the TorchScript VGG16 with LPIPS heads (NVIDIA StyleGAN2-ADA, metrics/vgg16.pt)",
    ),
    "script": (
        lambda module, a, b: module(2 * a - 1, 2 * b - 1).flatten(),
        "a traced lpips.LPIPS: torch.jit.trace(lpips.LPIPS(net='alex').eval(), (x, x)).save(...)",
    ),
}


def _vgg(module: Any, frames: Tensor) -> Tensor:
    """Features [N, D] whose squared distance is LPIPS. The input has values 0..255."""
    return module(255 * frames, resize_images=False, return_lpips=True)


class Lpips:
    """A checked LPIPS network. Lower is closer. Raises as `load_extractor`.

    Args:
        kind: one of KINDS.
        path: of the TorchScript file; None if there is none.
    """

    def __init__(self, kind: str, path: str | Path | None, device: torch.device | str = "cpu") -> None:
        if kind not in KINDS:
            raise BadConfig("LPIPS", expected=" or ".join(KINDS), got=f"`{kind}`", remedy="Correct the kind.")
        self._call, self._source = KINDS[kind]
        self._module, self.sha256 = load_script(path, "LPIPS network", self._source, device)
        assert path is not None
        self.name, self._device = f"LPIPS-{Path(path).stem}", torch.device(device)
        self._check()

    @property
    def identity(self) -> str:
        """Name and sha256 of the network."""
        return f"{self.name}:{self.sha256}"

    @torch.inference_mode()
    def distance(self, prediction: Tensor, truth: Tensor) -> Tensor:
        """float32 [N], on the CPU, of frames uint8 [N, 3, H, W]. Raises BadInput if the network fails on them."""
        if prediction.dtype != torch.uint8 or prediction.ndim != 4 or prediction.shape != truth.shape:
            raise BadInput(
                f"Input of {self.name}",
                expected=f"two tensors uint8 {list(truth.shape)}",
                got=f"{prediction.dtype} {list(prediction.shape)}",
                remedy="Pass RGB values from 0 to 255, [N, 3, H, W].",
            )
        a, b = (frames.to(self._device).float() / 255 for frames in (prediction, truth))
        try:
            distances = self._call(self._module, a, b)
        except SCRIPT_ERRORS as error:
            raise BadInput(
                self.name,
                expected=f"a network for frames {list(prediction.shape)}",
                got=f"{type(error).__name__}: {str(error).strip().splitlines()[-1]}",
                remedy=f"Use {self._source}.",
            ) from None
        if distances.shape != (len(prediction),):
            raise self._broken("one number for each pair", list(distances.shape))
        return distances.float().cpu()

    def _check(self) -> None:
        probe = torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
        try:
            same, other = self.distance(probe, probe), self.distance(probe, probe.flip(0))
        except BadCheckpoint:
            raise
        except BadInput as error:
            raise BadCheckpoint(error.what, expected=error.expected, got=error.got, remedy=error.remedy) from None
        if same.abs().max() > 1e-5 or not (other > 1e-5).all():
            raise self._broken(
                "0 for equal images and more for different images", f"{same.tolist()} and {other.tolist()}"
            )

    def _broken(self, expected: object, got: object) -> BadCheckpoint:
        return BadCheckpoint(self.name, expected=expected, got=got, remedy=f"Use {self._source}.")
