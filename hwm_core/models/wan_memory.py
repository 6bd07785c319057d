"""What a Wan model needs of a device, by arithmetic. docs/models.md derives the terms."""

import torch

from hwm_core.errors import BadConfig
from hwm_core.models.wan_config import WanConfig
from hwm_core.pretrained import import_extra

_RESERVE = 1.1  # a tenth for the allocator and the libraries


def base_parameters(config: WanConfig) -> int:
    """Parameters of the pretrained transformer, which are frozen."""
    d, hidden, text, cells = config.dim, config.mlp_dim, config.text_dim, config.latent_channels * config.patch**2
    block = 8 * d * d + 2 * d * hidden + 21 * d + hidden  # self- and cross-attention, MLP, norms, modulation
    time = config.freq_dim * d + d + d * d + d + 6 * d * d + 6 * d
    return config.depth * block + time + (text * d + d * d + 2 * d) + (cells * d + d) + (d * cells + cells) + 2 * d


def trained_parameters(config: WanConfig) -> int:
    """Parameters of the low-rank updates and of the state encoder."""
    d, rank, width = config.dim, config.lora_rank, config.state_dim
    pairs = {"ffn.net.0.proj": d + config.mlp_dim, "ffn.net.2": d + config.mlp_dim}
    lora = sum(rank * (pairs[name] if name in pairs else 4 * d) for name in config.lora_targets)  # 2 attentions
    features = config.action_dim + 2 * config.state_frequencies * (config.action_dim - len(config.plain_states))
    convolutions = config.temporal_factor.bit_length() - 1
    encoder = features * width + width + width**2 + width + convolutions * (3 * width**2 + width)
    return config.depth * lora + encoder + (width + 1) * 7 * d


def weight_bytes(config: WanConfig) -> int:
    """Bytes of all weights: the base in its precision, the trained ones in float32."""
    return base_parameters(config) * getattr(torch, config.base_dtype).itemsize + 4 * trained_parameters(config)


def training_bytes(config: WanConfig, windows: int, *, recomputed: bool) -> int:
    """Bytes of a training step in bfloat16 (autocast) on one device, with all weights on it.

    Args:
        windows: of one micro-batch.
        recomputed: whether blocks are recomputed in the backward pass (`activation_checkpointing`).
    """
    block = windows * _block_bytes(config)
    inputs = windows * config.depth * _window_tokens(config) * config.dim * _SIZE
    kept = inputs + block if recomputed else config.depth * block
    # Weight, gradient and two moments of what is trained; a quarter of a block for embeddings, output and gradients.
    return weight_bytes(config) + 12 * trained_parameters(config) + kept + block // 4


_SIZE = 2  # bytes of bfloat16
# Numbers that the backward pass of a block keeps, in widths; float32 counts twice. Counted with tensors without memory.
_TOKEN_WIDTHS, _TEXT_WIDTHS = 32, 7


def _window_tokens(config: WanConfig) -> int:
    return config.num_latents * config.sites[0] * config.sites[1]


def _block_bytes(config: WanConfig) -> int:
    """What the backward pass of one block keeps for one window."""
    hidden = config.mlp_dim
    if any(name.startswith("ffn") for name in config.lora_targets):
        hidden += config.dim + config.mlp_dim
    of_video = _window_tokens(config) * (_TOKEN_WIDTHS * config.dim + hidden)
    return _SIZE * (of_video + _TEXT_WIDTHS * config.text_length * config.dim)


def require_training_memory(
    config: WanConfig, windows: int, device: torch.device, *, recomputed: bool, shards: int = 1
) -> None:
    """Raises BadConfig where a training step does not fit the free memory of the device.

    Args:
        windows: of one micro-batch.
        recomputed: as for `training_bytes`.
        shards: the number of devices that share the weights (FSDP).
    """
    needed = training_bytes(config, windows, recomputed=recomputed) - weight_bytes(config)
    if device.type == "cuda":  # on a CPU the weights are there already
        needed += weight_bytes(config) // shards
    require_memory(needed, device, f"a micro-batch of {windows} windows")


def require_memory(needed: int, device: torch.device | str, what: str) -> None:
    """Raises BadConfig where the device has less free memory than `needed` bytes and a tenth more."""
    device = torch.device(device)
    if device.type == "cuda":
        free = torch.cuda.mem_get_info(device)[0]
    elif device.type == "cpu":
        free = import_extra("psutil").virtual_memory().available
    else:
        return
    if free < _RESERVE * needed:
        raise BadConfig(
            f"memory of {device}",
            expected=f"{_RESERVE * needed / 1e9:.3g} GB free for {what}",
            got=f"{free / 1e9:.3g} GB",
            remedy="Use a smaller micro-batch (train.accumulation), train.activation_checkpointing=true, "
            "train.parallel=fsdp with several GPUs, model.base_dtype=bfloat16, or a larger device.",
        )
