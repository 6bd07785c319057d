"""How much memory the rollout of a candidate takes."""

import torch

from hwm_core.models.config import WorldModelConfig
from hwm_core.models.flow_config import FlowConfig
from hwm_core.models.network import WorldModelNetwork
from hwm_core.models.st_config import STConfig
from hwm_core.models.wan_config import WanConfig

_WIDTHS = 8  # tensors of the width of the model that exist at once: residual stream, norm, queries, keys, values, ...
_KEYS = 4  # the past's keys and values beside those of the candidate, joined and again in the order of the kernel
_IMAGES = 6  # images of convolution features that exist at once


def bytes_per_candidate(model: WorldModelNetwork, num_latents: int, dtype: torch.dtype) -> int:
    """An upper estimate of the bytes that one more candidate takes at once, without gradients.

    Args:
        num_latents: latents to predict; a model that predicts each on its own still holds only one at a time.
        dtype: precision of the arithmetic.
    """
    config = model.config
    if isinstance(config, WanConfig):
        return _wan(config)
    at_once = 1 if model.separate_latents or isinstance(config, STConfig) else num_latents
    sites = config.sites[0] * config.sites[1]
    actions = config.future_frames if isinstance(config, FlowConfig) else config.num_future_latents
    tokens = at_once * sites + actions
    known = config.num_past_latents * sites + config.past_frames
    values = config.dim * (tokens * (_WIDTHS + 2 * config.mlp_ratio) + _KEYS * known) + _convolutions(config, at_once)
    values += _kept(config)
    return 2 * int(values * dtype.itemsize)  # twice: some values are in float32 under autocast


def _wan(config: WanConfig) -> int:
    """All latents at once, past and future, each with its modulation; norms and residuals are float32."""
    sites = config.sites[0] * config.sites[1]
    tokens = config.num_latents * sites
    size = 2 if config.base_dtype == "bfloat16" else 4
    values = tokens * (_WIDTHS * config.dim + 2 * config.mlp_dim) + 2 * config.text_length * config.dim
    # The modulation by token exists while it is computed (`models.wan_transformer`).
    return 2 * size * (values + 8 * tokens * config.dim) + 4 * 13 * config.num_latents * config.dim


def _kept(config: WorldModelConfig) -> int:
    """Keys and values of every block and latent of a candidate that is predicted latent after latent."""
    if not isinstance(config, STConfig):
        return 0
    return 2 * config.depth * config.dim * config.sites[0] * config.sites[1] * config.num_inputs


def _convolutions(config: WorldModelConfig, latents: int) -> int:
    if not isinstance(config, FlowConfig):
        return 0
    return _IMAGES * latents * config.grid[0] * config.grid[1] * config.conv_width
