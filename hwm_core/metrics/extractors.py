"""Feature extractors for metrics: networks in local TorchScript files, checked and identified by their sha256.

Nothing is downloaded. If a file is missing, its metrics are unavailable (`metrics.unavailable`).
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from hwm_core.errors import BadCheckpoint, BadConfig, BadInput

SCRIPT_ERRORS = (RuntimeError, TypeError, torch.jit.Error)
"""Exceptions of a TorchScript module for invalid input; torch.jit.Error is for a `raise` in its code."""
_PROBE_SIDE, _PROBE_FRAMES = 64, 16


@dataclass(frozen=True)
class Kind:
    """A kind of network: the call of its file, and the metrics of its features."""

    metric: str | None  # name of its Fréchet distance; None: FD-<name of the file>
    kernel_metric: str | None  # name of its kernel distance; None: KD-<name of the file>
    clips: bool  # the input is clips [N, F, 3, H, W], not frames [N, 3, H, W]
    call: Callable[[Any, Tensor], Tensor]  # module and uint8 input -> features [N, D]
    dim: int | None  # D, if it is fixed
    source: str  # the source of the file, for error messages


KINDS: Mapping[str, Kind] = {
    "inception": Kind(
        "FID",
        "KID",
        False,
        lambda module, frames: module(frames, return_features=True),
        2048,
        "the TorchScript translation of inception-2015-12-05 (NVIDIA StyleGAN2-ADA, metrics/inception-2015-12-05.pt)",
    ),
    "i3d": Kind(
        "FVD",
        "KVD",
        True,
        lambda module, clips: module(
            clips.transpose(1, 2).float(), rescale=True, resize=True, return_features=True
        ),  # input [N, 3, F, H, W], values 0..255
        400,
        "the TorchScript I3D of Kinetics-400 (StyleGAN-V, i3d_torchscript.pt)",
    ),
    "script": Kind(
        None,
        None,
        False,
        lambda module, frames: module(frames.float() / 255),
        None,
        "any scripted module, frames float [N, 3, H, W] in [0, 1] -> features float [N, D]",
    ),
}


class Extractor:
    """A checked network, made by `load_extractor`."""

    def __init__(self, kind: str, name: str, sha256: str, module: Any, device: torch.device) -> None:
        self.kind, self.name, self.sha256 = kind, name, sha256
        self.takes_clips = KINDS[kind].clips
        self.metric, self.kernel_metric = metric_names(kind, name)
        self._module, self._device = module, device

    @property
    def identity(self) -> str:
        """Name and sha256: features of different networks are never compared."""
        return f"{self.name}:{self.sha256}"

    @torch.inference_mode()
    def features(self, frames: Tensor) -> Tensor:
        """Features float32 [N, D], on the CPU, of frames uint8 [N, 3, H, W], or of clips uint8 [N, F, 3, H, W].

        Raises:
            BadInput: another type or shape, or the network fails on this size.
        """
        shape = "[N, F, 3, H, W]" if self.takes_clips else "[N, 3, H, W]"
        if frames.dtype != torch.uint8 or frames.ndim != 4 + self.takes_clips or frames.shape[-3] != 3:
            raise BadInput(
                f"Input of {self.name}",
                expected=f"uint8 {shape}",
                got=f"{frames.dtype} {list(frames.shape)}",
                remedy="Pass RGB values from 0 to 255.",
            )
        try:
            features = KINDS[self.kind].call(self._module, frames.to(self._device))
        except SCRIPT_ERRORS as error:
            raise BadInput(
                f"Extractor {self.name}",
                expected=f"a network for input {list(frames.shape)}",
                got=f"{type(error).__name__}: {str(error).strip().splitlines()[-1]}",
                remedy=f"The kind `{self.kind}` is {KINDS[self.kind].source}.",
            ) from None
        if not isinstance(features, Tensor) or features.ndim != 2 or len(features) != len(frames):
            got = list(features.shape) if isinstance(features, Tensor) else type(features).__name__
            raise self._broken(f"[{len(frames)}, D], a row for each input", got)
        return features.float().cpu()

    def check(self) -> None:
        """Test the network on noise. Raises BadCheckpoint if it is not a network of its kind."""
        generator = torch.Generator().manual_seed(0)
        shape = (
            (2, _PROBE_FRAMES, 3, _PROBE_SIDE, _PROBE_SIDE) if self.takes_clips else (2, 3, _PROBE_SIDE, _PROBE_SIDE)
        )
        probe = torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)
        try:
            together = self.features(probe)
            alone = self.features(probe[:1])
        except BadCheckpoint:
            raise
        except BadInput as error:
            raise BadCheckpoint(error.what, expected=error.expected, got=error.got, remedy=error.remedy) from None
        dim = KINDS[self.kind].dim
        if dim is not None and together.shape[1] != dim:
            raise self._broken(f"{dim} features", together.shape[1])
        if not torch.isfinite(together).all():
            raise self._broken("finite features", "NaN or infinity")
        scale = together.abs().max().clamp_min(1e-6)
        if (together[0] - together[1]).abs().max() < 1e-6 * scale:
            raise self._broken("different features for different images", "the same features for both")
        if (together[:1] - alone).abs().max() > 1e-3 * scale:
            raise self._broken(
                "features of an image that do not depend on the rest of the batch",
                "other features (was it saved in training mode?)",
            )

    def _broken(self, expected: object, got: object) -> BadCheckpoint:
        return BadCheckpoint(
            f"Extractor {self.name}",
            expected=expected,
            got=got,
            remedy=f"The kind `{self.kind}` is {KINDS[self.kind].source}.",
        )


def metric_names(kind: str, name: str) -> tuple[str, str]:
    """The names of the Fréchet and the kernel distance of a file `name`. Raises BadConfig for an unknown kind."""
    found = _kind(kind)
    return found.metric or f"FD-{name}", found.kernel_metric or f"KD-{name}"


def load_extractor(kind: str, path: str | Path | None, device: torch.device | str = "cpu") -> Extractor:
    """Load and check a TorchScript file of one of KINDS.

    Raises:
        BadConfig: an unknown kind.
        BadCheckpoint: no file is given, or the file cannot be read, or it is not a network of this kind.
    """
    module, digest = load_script(path, f"extractor of kind `{kind}`", _kind(kind).source, device)
    assert path is not None
    extractor = Extractor(kind, Path(path).stem, digest, module, torch.device(device))
    extractor.check()
    return extractor


def _kind(kind: str) -> Kind:
    if kind not in KINDS:
        raise BadConfig("extractor", expected=" or ".join(KINDS), got=f"`{kind}`", remedy="Correct the kind.")
    return KINDS[kind]


def load_script(path: str | Path | None, what: str, source: str, device: torch.device | str) -> tuple[Any, str]:
    """A TorchScript module in evaluation mode, and the sha256 of its file. Raises BadCheckpoint."""
    remedy = f"Pass a local file: {source}."
    if path is None:
        raise BadCheckpoint(what, expected="a file of weights", got="no file given", remedy=remedy)
    path = Path(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BadCheckpoint(str(path), expected=f"the {what}", got=error.strerror, remedy=remedy) from None
    try:
        module = torch.jit.load(str(path), map_location=device).eval()
    except (RuntimeError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise BadCheckpoint(str(path), expected=f"the {what} as TorchScript", got=reason, remedy=remedy) from None
    return module, hashlib.sha256(data).hexdigest()
