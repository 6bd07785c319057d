"""Wan 2.2's transformer of diffusers with modulation per latent, and low-rank updates of its weights.

Needs the extra `wan`. The names of the weights are those of diffusers.
"""

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import torch
from diffusers.models.transformers.transformer_wan import WanTransformer3DModel, WanTransformerBlock
from peft import LoraConfig
from torch import Tensor, nn

from hwm_core.errors import BadConfig
from hwm_core.models.wan_config import WanConfig
from hwm_core.pretrained import open_network


class LatentModulatedBlock(WanTransformerBlock):
    """A block of Wan whose modulation belongs to a latent, not to a token: the same numbers, and far less memory.

    At 512 px and 3,072 channels the modulation of a window in float32 is 0.4 MB, in place of 113 MB.
    """

    def forward(self, tokens: Tensor, text: Tensor, modulation: Tensor, rotary: tuple[Tensor, Tensor]) -> Tensor:
        """Tokens [B, T * N, D] -> the same shape; `text` [B, L, D], `modulation` [B, T, 6, D]."""
        latents = modulation.shape[1]
        shift, scale, gate, mlp_shift, mlp_scale, mlp_gate = (self.scale_shift_table[None] + modulation.float()).chunk(
            6, dim=2
        )  # [B, T, 1, D] each

        def each(x: Tensor) -> Tensor:
            """By latent: [B, T, N, D]."""
            return x.unflatten(1, (latents, -1))

        normed = (each(self.norm1(tokens.float())) * (1 + scale) + shift).flatten(1, 2).type_as(tokens)
        update = each(self.attn1(normed, None, None, rotary))
        tokens = (each(tokens.float()) + update * gate).flatten(1, 2).type_as(tokens)
        tokens = tokens + self.attn2(self.norm2(tokens.float()).type_as(tokens), text, None, None)
        normed = (each(self.norm3(tokens.float())) * (1 + mlp_scale) + mlp_shift).flatten(1, 2).type_as(tokens)
        update = each(self.ffn(normed).float())
        return (each(tokens.float()) + update * mlp_gate).flatten(1, 2).type_as(tokens)


def build_transformer(config: WanConfig) -> WanTransformer3DModel:
    """A transformer of the configured sizes with random weights."""
    made = _by_latent(
        WanTransformer3DModel(
            patch_size=(1, config.patch, config.patch),
            num_attention_heads=config.num_heads,
            attention_head_dim=config.dim // config.num_heads,
            in_channels=config.latent_channels,
            out_channels=config.latent_channels,
            text_dim=config.text_dim,
            freq_dim=config.freq_dim,
            ffn_dim=config.mlp_dim,
            num_layers=config.depth,
        )
    )
    for name, parameter in made.named_parameters():
        if not any(part in made._keep_in_fp32_modules for part in name.split(".")):  # as `from_pretrained` does
            parameter.data = parameter.data.to(getattr(torch, config.base_dtype))
    return made


def open_transformer(folder: Path, dtype: str) -> WanTransformer3DModel:
    """The pretrained transformer in `folder`, on the CPU. Raises BadCheckpoint as `open_network`."""
    return _by_latent(open_network(WanTransformer3DModel, folder, torch_dtype=getattr(torch, dtype)))


def add_lora(transformer: WanTransformer3DModel, rank: int, targets: tuple[str, ...]) -> None:
    """Freeze the transformer and add low-rank updates that start at zero, in float32; rank 0: none.

    Raises BadConfig for a target that is no linear layer of the transformer: peft ignores it beside others that are.
    """
    transformer.requires_grad_(False)
    if not rank:
        return
    layers = {
        name.split(".", 2)[2]  # without "blocks.0."
        for name, part in transformer.named_modules()
        if name.startswith("blocks.") and isinstance(part, nn.Linear)
    }
    if unknown := [one for one in targets if not any(f".{name}".endswith(f".{one}") for name in layers)]:
        raise BadConfig(
            "model: lora_targets",
            expected=f"ends of the names {', '.join(sorted(layers))}",
            got=", ".join(unknown),
            remedy="Correct the names.",
        )
    transformer.add_adapter(LoraConfig(r=rank, lora_alpha=rank, target_modules=list(targets)))
    for name, parameter in transformer.named_parameters():
        if ".lora_" in name:
            parameter.data = parameter.data.float()


def velocity(
    transformer: WanTransformer3DModel, latents: Tensor, timesteps: Tensor, text: Tensor, modulation: Tensor | None
) -> Tensor:
    """The transformer's output [B, C, T, H, W]: noise minus data.

    Args:
        latents: [B, C, T, H, W]; they are cast to the precision of the transformer's weights, as diffusers does.
        timesteps: [B, T], 0 (data) to 1000 (noise), one for each latent.
        text: [1 or B, L, text_dim].
        modulation: [B, T, 7, D], added to that of the timesteps: 6 for the blocks and 1 for the final norm. None: zero.
    """
    dtype = transformer.patch_embedding.weight.dtype
    latents, batch = latents.to(dtype), len(latents)
    frames, patch = latents.shape[2], transformer.config.patch_size
    rotary = transformer.rope(latents)
    tokens = transformer.patch_embedding(latents).flatten(2).transpose(1, 2).contiguous()
    sites = tokens.shape[1] // frames
    with _full_precision(latents.device):  # a timestep has more digits than bfloat16
        # Each token's timestep, as in diffusers, though all tokens of a latent have the same: sums of another number of
        # rows round differently. It is 1 % of the computation.
        each = timesteps.repeat_interleave(sites, dim=1)
        time, of_blocks, text, _ = transformer.condition_embedder(
            each.flatten(), text.to(dtype).expand(batch, -1, -1), None, timestep_seq_len=each.shape[1]
        )
    time, of_blocks = time[:, ::sites].clone(), of_blocks[:, ::sites].clone().unflatten(2, (6, -1))
    if modulation is not None:
        of_blocks, time = of_blocks + modulation[:, :, :6], time + modulation[:, :, 6]
    for block in transformer.blocks:
        tokens = block(tokens, text, of_blocks, rotary)
    shift, scale = (transformer.scale_shift_table[None] + time[:, :, None]).chunk(2, dim=2)
    normed = transformer.norm_out(tokens.float()).unflatten(1, (frames, -1)) * (1 + scale) + shift
    patches = transformer.proj_out(normed.flatten(1, 2).type_as(tokens))
    rows, columns = latents.shape[3] // patch[1], latents.shape[4] // patch[2]
    cells = patches.reshape(batch, frames, rows, columns, *patch, -1).permute(0, 7, 1, 4, 2, 5, 3, 6)
    return cells.flatten(6, 7).flatten(4, 5).flatten(2, 3)


def _full_precision(device: torch.device) -> AbstractContextManager:
    """No autocast; on the meta device, where sizes alone are computed, there is none."""
    return nullcontext() if device.type == "meta" else torch.autocast(device.type, enabled=False)


def _by_latent(transformer: Any) -> Any:
    """The same transformer; its blocks take modulation per latent."""
    for block in transformer.blocks:
        block.__class__ = LatentModulatedBlock
    return transformer
