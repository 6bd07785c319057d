"""Folders of small TorchScript encoders and decoders with the interface of the Cosmos tokenizers."""

from pathlib import Path

import torch
from torch import Tensor, nn

from hwm_core.tokenizers.cosmos_models import COSMOS_MODELS, LEVELS


class Encoder(nn.Module):
    """A causal 3D convolution to latents; discrete latents are quantised and packed into indices as in Cosmos."""

    def __init__(self, time: int, space: int, channels: int, discrete: bool, causal: bool = True) -> None:
        super().__init__()
        self.time, self.space, self.discrete, self.causal = time, space, discrete, causal
        self.conv = nn.Conv3d(3, channels, (time, space, space), stride=(time, space, space))
        nn.init.normal_(self.conv.weight, std=1.5 / (3 * time * space * space) ** 0.5)
        nn.init.zeros_(self.conv.bias)
        self.register_buffer("centre", torch.tensor([level // 2 for level in LEVELS]))
        self.register_buffer("top", torch.tensor([level - 1 for level in LEVELS]))
        self.register_buffer("basis", torch.tensor([1, 8, 64, 512, 2560, 12800]))

    def forward(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        first = frames[:, :, :1].repeat(1, 1, self.time - 1, 1, 1)
        latents = self.conv(torch.cat([first, frames], dim=2))
        if not self.causal:
            latents = latents - latents.mean(2, keepdim=True)
        if not self.discrete:
            return latents, torch.zeros(1)
        digits = (latents.float().movedim(1, -1) * self.centre).round() + self.centre
        digits = torch.minimum(digits.clamp(min=0), self.top).to(torch.int32)
        return (digits * self.basis).sum(-1).to(torch.int32), latents


class Decoder(nn.Module):
    """Every pixel of a site is a fixed mix of its latent; a discrete decoder takes only indices."""

    def __init__(self, time: int, space: int, channels: int, discrete: bool) -> None:
        super().__init__()
        self.time, self.space, self.discrete = time, space, discrete
        self.mix = nn.Conv3d(channels, 3, 1)
        self.register_buffer("centre", torch.tensor([level // 2 for level in LEVELS]))
        self.register_buffer("levels", torch.tensor(LEVELS))
        self.register_buffer("basis", torch.tensor([1, 8, 64, 512, 2560, 12800]))

    def forward(self, codes: Tensor) -> Tensor:
        if self.discrete:
            digits = torch.div(codes.unsqueeze(-1), self.basis, rounding_mode="floor") % self.levels
            codes = ((digits - self.centre) / self.centre).movedim(-1, 1).to(self.mix.weight.dtype)
        video = self.mix(codes).repeat_interleave(self.time, 2)[:, :, self.time - 1 :]
        return 2.0 * video.repeat_interleave(self.space, 3).repeat_interleave(
            self.space, 4
        )  # 2: outputs may leave the range


def cosmos_folder(folder: Path, name: str = "DV8x8x8", seed: int = 0, causal: bool = True) -> Path:
    """Write encoder.jit and decoder.jit in the shape of the Cosmos model `name`; returns the folder."""
    model = COSMOS_MODELS[name]
    sizes = model.temporal_factor, model.spatial_factor, model.latent_channels, model.codes == "discrete"
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(seed)
    torch.jit.save(torch.jit.script(Encoder(*sizes, causal)), str(folder / "encoder.jit"))
    torch.jit.save(torch.jit.script(Decoder(*sizes)), str(folder / "decoder.jit"))
    return folder
